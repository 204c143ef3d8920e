"""Whatever bytes arrive, the answer is a problem of the 4xx kind, and nothing is stored."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delivery_service.errors import RefusedError
from delivery_service.sessions import Sessions
from delivery_service.tls import lifetime_end, tree_hash
from delivery_service.wire import BLOB_TYPE, JSON_TYPE, MLS_TYPE, MSGPACK_TYPE

ALICE = "+12025550142"
KEY = "0" * 32
ROUTES = [
    ("POST", "/v1/sessions", JSON_TYPE),
    ("PUT", "/v1/key-packages", JSON_TYPE),
    ("POST", "/v1/key-packages/claims", JSON_TYPE),
    ("POST", "/v1/groups", MLS_TYPE),
    ("POST", "/v1/groups/Z3JvdXA/entries", MLS_TYPE),
    ("POST", "/v1/groups/Z3JvdXA/commits", MSGPACK_TYPE),
    ("POST", "/v1/inbox/ack", JSON_TYPE),
    ("PUT", "/v1/contact-mode", JSON_TYPE),
    ("POST", "/v1/contact-requests", JSON_TYPE),
    ("PUT", "/v1/contact-grants", JSON_TYPE),
    ("POST", "/v1/blobs", JSON_TYPE),
]
MORE_ROUTES = [  # where a body says nothing, or may say anything
    ("GET", "/v1/groups/Z3JvdXA/entries", JSON_TYPE),
    ("GET", "/v1/inbox", ""),
    ("GET", f"/v1/blobs/{KEY * 2}", ""),
    ("GET", f"/v1/uploads/{KEY}", ""),
    ("PUT", f"/v1/uploads/{KEY}/pieces/0", BLOB_TYPE),
    ("POST", f"/v1/uploads/{KEY}/finish", ""),
    ("DELETE", f"/v1/uploads/{KEY}", ""),
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
named = st.dictionaries(
    st.sampled_from(
        ["chain", "number", "key_packages", "last_resort", "position", "commit", "welcomes", "group_info", "mode"]
    ),
    json_values,
)
bodies = st.one_of(
    st.binary(max_size=300),
    named.map(msgspec.json.encode),
    st.builds(
        lambda commit, welcome, info: msgspec.msgpack.encode(
            {"commit": commit, "welcomes": [welcome], "group_info": info}
        ),
        *[st.binary(max_size=60)] * 3,
    ),
    # an MLSMessage's beginning: protocol version 1 and each wire format
    st.builds(lambda wire_format, rest: b"\0\1\0" + bytes([wire_format]) + rest, st.integers(0, 6), st.binary()),
)
header_values = st.binary(max_size=60).filter(lambda value: not set(value) & {0, 10, 13})


@pytest.fixture
async def run(world) -> Callable[..., Any]:
    """Runs a request inside the test's event loop from hypothesis's synchronous body."""
    loop = asyncio.get_running_loop()
    return lambda request: asyncio.run_coroutine_threadsafe(request, loop).result(20)


async def examine(body: Callable[[], None]) -> None:
    await asyncio.to_thread(body)


@pytest.mark.parametrize("world", ["memory"], indirect=True)
async def test_any_body_at_any_address_is_refused_as_the_senders_fault(world, run):
    alice = await world.device(ALICE)
    await alice.create(b"group")

    @settings(max_examples=150, deadline=None)
    @given(route=st.sampled_from(ROUTES), body=bodies)
    def refused(route: tuple[str, str, str], body: bytes) -> None:
        answer = run(alice.call(*route[:2], body, route[2], idempotency_key=KEY))
        if route[1] == "/v1/key-packages" and answer.status_code == 200:
            assert answer.json()["available"] == 0  # {} adds nothing
        elif route[1] != "/v1/inbox/ack" or answer.status_code != 204:
            assert 400 <= answer.status_code < 500, answer.text
            assert answer.headers["content-type"] == "application/problem+json"

    await examine(refused)
    assert (await alice.read(b"group")).head == 0


@pytest.mark.parametrize("world", ["memory"], indirect=True)
async def test_any_header_and_query_is_refused_as_the_senders_fault(world, run):
    alice = await world.device(ALICE)
    await alice.create(b"group")
    names = st.sampled_from(
        [b"authorization", b"content-type", b"idempotency-key", b"signature", b"signature-input", b"content-digest"]
    )

    @settings(max_examples=150, deadline=None)
    @given(
        route=st.sampled_from([*ROUTES, *MORE_ROUTES]),
        headers=st.dictionaries(names, header_values),
        query=st.text("after=wit&0123456789-%xé", max_size=30),
        signed=st.booleans(),
    )
    def refused(route: tuple[str, str, str], headers: dict[bytes, bytes], query: str, signed: bool) -> None:
        fields = {b"content-type": route[2].encode(), b"host": b"delivery.example"}
        if signed:
            fields[b"authorization"] = f"Bearer {alice.token}".encode()
        fields |= headers
        request = world.http.build_request(route[0], f"{route[1]}?{query}", headers=list(fields.items()), content=b"{}")
        answer = run(world.http.send(request))
        assert answer.status_code in {200, 204} or 400 <= answer.status_code < 500, answer.text

    await examine(refused)


@pytest.mark.parametrize("world", ["memory"], indirect=True)
async def test_a_commit_with_any_signed_octet_changed_is_refused(world, run):
    alice = await world.device(ALICE)
    group = await alice.create(b"group")
    pending = group.commit(alice.now, path=True)
    signed = len(pending.commit) - 66  # then follow the confirmation and membership tags, which only members can check

    @settings(max_examples=150, deadline=None)
    @given(position=st.integers(0, signed - 1), mask=st.integers(1, 255))
    def refused(position: int, mask: int) -> None:
        changed = bytearray(pending.commit)
        changed[position] ^= mask
        bundle = {"commit": bytes(changed), "welcomes": [], "group_info": pending.group_info}
        answer = run(alice.post("/v1/groups/Z3JvdXA/commits", msgspec.msgpack.encode(bundle), MSGPACK_TYPE))
        assert 400 <= answer.status_code < 500, answer.text

    await examine(refused)
    assert (await alice.commit(group, pending)).status_code == 201


@given(st.binary())
def test_the_tls_readers_refuse_or_answer(octets: bytes) -> None:
    for reader in (tree_hash, lifetime_end):
        with suppress(RefusedError):
            assert reader(octets) is not None


@given(st.binary())
def test_no_invented_token_is_a_session(octets: bytes) -> None:
    with pytest.raises(RefusedError, match=r"session|token"):
        Sessions(lambda: b"secret").check(b"Bearer " + octets, 0)
