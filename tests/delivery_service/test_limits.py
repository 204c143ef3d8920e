"""Each limit holds: at the limit a request passes, one past it is refused with the limit's name."""

import msgspec
import pytest

from delivery_service import wire
from delivery_service.errors import RefusedError
from delivery_service.http.requests import read_body
from delivery_service.limits import HourlyLimit

ALICE, BOB = "+12025550142", "+12025550143"


def padded_message(group_id: bytes, size: int) -> bytes:
    """A PrivateMessage of exactly `size` octets; the service sees only its framing."""
    head = b"\0\1\0\2" + bytes([len(group_id)]) + group_id + bytes(8) + b"\1" + b"\0" + b"\0"
    prefix = 2 if size < 16_000 else 4
    body = size - len(head) - prefix
    return head + (((prefix // 2) << (8 * prefix - 2)) | body).to_bytes(prefix, "big") + bytes(body)


async def test_an_application_message_may_fill_its_limit(world, problem_word):
    alice = await world.device(ALICE)
    group = await alice.create()
    whole = padded_message(group.group_id, wire.APPLICATION_LIMIT)
    assert len(whole) == wire.APPLICATION_LIMIT
    assert (await alice.append(group.group_id, whole)).status_code == 201
    answer = await alice.append(group.group_id, whole + b"\0")
    assert (answer.status_code, problem_word(answer)) == (413, "too-large")
    assert (answer.json()["limit_name"], answer.json()["limit"]) == ("APPLICATION_LIMIT", wire.APPLICATION_LIMIT)


@pytest.mark.parametrize("name", ["COMMIT_LIMIT", "WELCOME_LIMIT", "GROUP_INFO_LIMIT"])
async def test_each_part_of_a_bundle_has_its_limit(world, problem_word, name):
    alice = await world.device(ALICE)
    group = await alice.create()
    for excess, expected in ((0, "malformed"), (1, "too-large")):
        part = bytes(getattr(wire, name) + excess)
        parts = {"commit": b"", "welcomes": [], "group_info": b""}
        parts |= {"COMMIT_LIMIT": {"commit": part}, "WELCOME_LIMIT": {"welcomes": [part]}}.get(
            name, {"group_info": part}
        )
        body = msgspec.msgpack.encode(parts)
        answer = await alice.post(f"/v1/groups/{group.group_id.hex()}/commits", body, wire.MSGPACK_TYPE)
        assert problem_word(answer) == expected
        assert answer.json().get("limit_name") == (name if excess else None)


@pytest.mark.parametrize(
    ("method", "path", "kind", "name"),
    [
        ("POST", "/v1/groups", wire.MLS_TYPE, "FOUNDING_LIMIT"),
        ("POST", "/v1/groups/AAAA/commits", wire.MSGPACK_TYPE, "BUNDLE_LIMIT"),
        ("POST", "/v1/groups/AAAA/entries", wire.MLS_TYPE, "APPLICATION_LIMIT"),
        ("PUT", "/v1/key-packages", wire.JSON_TYPE, "UPLOAD_LIMIT"),
        ("POST", "/v1/key-packages/claims", wire.JSON_TYPE, "CONTROL_LIMIT"),
        ("POST", "/v1/inbox/ack", wire.JSON_TYPE, "CONTROL_LIMIT"),
        ("POST", "/v1/sessions", wire.JSON_TYPE, "CONTROL_LIMIT"),
        ("POST", "/v1/blobs", wire.JSON_TYPE, "CONTROL_LIMIT"),
        ("PUT", "/v1/contact-grants", wire.JSON_TYPE, "CONTROL_LIMIT"),
        ("PUT", "/v1/contact-mode", wire.JSON_TYPE, "CONTACT_MODE_LIMIT"),
        ("POST", "/v1/contact-requests", wire.JSON_TYPE, "CONTACT_REQUEST_LIMIT"),
        ("POST", "/v1/groups/AAAA/rejections", wire.JSON_TYPE, "CONTROL_LIMIT"),
        ("POST", "/v1/groups/AAAA/endings", wire.JSON_TYPE, "CONTROL_LIMIT"),
        ("POST", "/v1/data-deletions", wire.JSON_TYPE, "CONTROL_LIMIT"),
    ],
)
async def test_bodies_are_measured_before_they_are_read(world, problem_word, method, path, kind, name):
    alice = await world.device(ALICE)
    limit = getattr(wire, name)
    for size, expected in ((limit, "malformed"), (limit + 1, "too-large")):
        answer = await alice.call(method, path, bytes(size), kind, idempotency_key="0" * 32)
        assert problem_word(answer) == expected
    assert answer.json()["limit_name"] == name


async def test_a_body_without_a_declared_length_is_cut_off_at_the_limit():
    sent = 0

    async def receive():
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": bytes(1000), "more_body": True}

    with pytest.raises(RefusedError) as caught:
        await read_body(receive, {b"content-type": b"message/mls"}, "message/mls", 10_000, "A_LIMIT")
    assert (caught.value.word, sent) == ("too-large", 11)


async def test_a_key_package_may_fill_its_limit(world, problem_word):
    alice = await world.device(ALICE)
    for size, expected in ((wire.KEY_PACKAGE_LIMIT, "malformed"), (wire.KEY_PACKAGE_LIMIT + 1, "too-large")):
        upload = msgspec.json.encode({"key_packages": [bytes(size)]})
        assert problem_word(await alice.call("PUT", "/v1/key-packages", upload)) == expected


async def test_a_device_keeps_a_hundred_key_packages(world, problem_word):
    alice = await world.device(ALICE)
    assert (await alice.publish(wire.KEY_PACKAGES_PER_DEVICE)).json()["available"] == wire.KEY_PACKAGES_PER_DEVICE
    answer = await alice.publish(1)
    assert (problem_word(answer), answer.json()["limit_name"]) == ("too-large", "KEY_PACKAGES_PER_DEVICE")
    answer = await alice.publish(wire.KEY_PACKAGES_PER_DEVICE + 1)
    assert (problem_word(answer), answer.json()["limit_name"]) == ("too-large", "KEY_PACKAGES_PER_DEVICE")


async def test_batches_end_at_their_limits_and_say_that_more_is_there(world):
    alice = await world.device(ALICE)
    group = await alice.create()
    for _ in range(wire.BATCH_ENTRIES + 1):
        await alice.append(group.group_id, padded_message(group.group_id, 200))
    first = await alice.read(group.group_id)
    assert (len(first.entries), first.more, first.head) == (wire.BATCH_ENTRIES, True, wire.BATCH_ENTRIES + 1)
    second = await alice.read(group.group_id, first.entries[-1].seq)
    assert (len(second.entries), second.more) == (1, False)

    large = wire.BATCH_OCTETS // wire.APPLICATION_LIMIT
    start = first.head
    for _ in range(large + 1):
        await alice.append(group.group_id, padded_message(group.group_id, wire.APPLICATION_LIMIT))
    batch = await alice.read(group.group_id, start)
    assert (len(batch.entries), batch.more) == (large, True)


async def test_waiting_is_limited(world, problem_word):
    alice = await world.device(ALICE)
    group = await alice.create()
    await alice.append(group.group_id, group.encrypt(b"so that nobody waits"))
    assert (await alice.read_answer(group.group_id, 0, wire.LONG_POLL_LIMIT)).status_code == 200
    for query in (f"wait={wire.LONG_POLL_LIMIT + 1}", "wait=-1", "wait=x", "after=-1", f"after={2**63}", "after=٣"):
        assert problem_word(await alice.call("GET", f"/v1/groups/AAAA/entries?{query}")) == "malformed"
        assert problem_word(await alice.call("GET", f"/v1/inbox?{query}")) == "malformed"


def test_hourly_limits_refill_evenly_and_forget_nobody_too_early():
    limit = HourlyLimit(2, "REQUESTS", "requests")
    for _ in range(2):
        limit.spend("a", 0)
    with pytest.raises(RefusedError) as caught:
        limit.check("a", 0)
    assert caught.value.members == {"limit": 2, "limit_name": "REQUESTS", "retry_after": 1801}
    limit.check("b", 0)
    with pytest.raises(RefusedError):
        limit.check("a", 1799)
    limit.spend("a", 1800)
    limit.check("a", 100_000)
