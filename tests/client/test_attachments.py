"""Files from one client to another: over the real service, sealed end to end, and refused check by check."""

import os
import resource
import stat
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from itertools import pairwise, repeat
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from mls_rs import Application

from client.errors import ClientError, ContentError, NotFoundError, RateLimitedError, ServiceError
from client.formats import content
from client.formats.parts import ExternalPart
from client.services.blobs import blob_name
from client.services.delivery import DeliveryClient
from client.transfers.attachments import (
    ATTACHMENT_LIMIT,
    CHUNK,
    TAG_SIZE,
    Sealed,
    ciphertext_limit,
    content_type_of,
    looks_like_image,
    open_sealed,
    read_file,
    save,
    seal,
)
from delivery_service.wire import BLOB_LIMIT, BLOBS_PER_HOUR, RETENTION
from delivery_service.wire.blobs import PIECE_SIZE
from tests.client.delivery_scene import ALICE, BOB, HOST, NOW, Scene, running

SENDER, ROOM = "mimi://delivery.example/u/+12025550142", "mimi://delivery.example/g/cm9vbQ"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)
BASE = f"http://{HOST}"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running() as scene:
        yield scene


class Recording(httpx.AsyncBaseTransport):
    """Notes each request on its way to the service."""

    def __init__(self, scene: Scene) -> None:
        self.service = httpx.ASGITransport(scene.app)
        self.urls: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(str(request.url))
        return await self.service.handle_async_request(request)


def in_memory(octets: bytes, filename: str) -> tuple[Sealed, bytes]:
    target = BytesIO()
    return seal([octets[start : start + 1000] for start in range(0, len(octets), 1000)], filename, target), (
        target.getvalue()
    )


async def offer(delivery: DeliveryClient, octets: bytes, filename: str) -> ExternalPart:
    sealed, ciphertext = in_memory(octets, filename)
    state = await delivery.blobs.open(sealed.content_hash.hex(), len(ciphertext))
    for piece in state.missing:
        start = piece * state.piece_size
        await delivery.blobs.put(state.upload, piece, ciphertext[start : start + state.piece_size])
    return sealed.part(delivery.blobs.url(await delivery.blobs.finish(state.upload)))


async def ciphertext_of(delivery: DeliveryClient, part: ExternalPart, start: int = 0) -> bytes:
    async with delivery.blobs.read(delivery.blobs.name(part), start) as download:
        assert download.start == start
        return b"".join([octets async for octets in download.octets])


async def fetch(delivery: DeliveryClient, part: ExternalPart) -> bytes:
    return opened(part, await ciphertext_of(delivery, part))


def opened(part: ExternalPart, ciphertext: bytes) -> bytes:
    return b"".join(open_sealed(part, BytesIO(ciphertext)))


def sealed_part(octets: bytes = PNG) -> tuple[ExternalPart, bytes]:
    sealed, ciphertext = in_memory(octets, "photo.png")
    return sealed.part(f"{BASE}/v1/blobs/{sealed.content_hash.hex()}"), ciphertext


def refused(part: ExternalPart, ciphertext: bytes) -> str:
    with pytest.raises(ContentError) as caught:
        open_sealed(part, BytesIO(ciphertext))
    assert caught.value.hint
    return caught.value.code


async def test_a_file_goes_from_one_client_through_a_message_to_another(scene: Scene, tmp_path: Path) -> None:
    alice, bob = scene.device(ALICE), scene.device(BOB)
    await bob.publish()
    group = await alice.create()
    await alice.add(group, BOB)
    (tmp_path / "photo.png").write_bytes(PNG)

    part = await offer(alice.delivery, b"".join(read_file(tmp_path / "photo.png")), "photo.png")
    await alice.say(group, content.encode(content.attachment(SENDER, ROOM, part)))

    (welcome,) = (await bob.delivery.inbox(0)).items
    joined = bob.engine.join(welcome.welcome, bob.secrets, NOW)
    (entry,) = (await bob.delivery.entries(group.group_id, welcome.seq)).entries
    received = joined.process(entry.body, NOW)
    assert isinstance(received, Application)
    offered = content.decode(received.data).part
    assert isinstance(offered, ExternalPart)
    assert (offered.filename, offered.content_type, offered.size) == ("photo.png", "image/png", len(PNG))
    saved = save(tmp_path / "received", offered.filename, [await fetch(bob.delivery, offered)])
    assert (saved.name, saved.read_bytes()) == ("photo.png", PNG)


async def test_the_service_sees_nothing_of_the_file_and_no_two_uploads_are_alike(scene: Scene) -> None:
    (first, one), (second, other) = in_memory(PNG, "photo.png"), in_memory(PNG, "photo.png")
    assert PNG[:8] not in one
    assert len({first.key, second.key, first.nonce, second.nonce, one, other}) == 6
    assert first.content_hash == sha256(one).digest() != second.content_hash
    for secret in (first.key, first.nonce):
        assert repr(secret) not in repr(first)


async def test_a_file_of_several_pieces_goes_over_and_on_from_any_octet(scene: Scene) -> None:
    alice, bob = scene.device(ALICE), scene.device(BOB)
    octets = os.urandom(2 * PIECE_SIZE + 5)
    part = await offer(alice.delivery, octets, "large")
    whole = await ciphertext_of(bob.delivery, part)
    assert opened(part, whole) == octets
    assert await ciphertext_of(bob.delivery, part, PIECE_SIZE + 1) == whole[PIECE_SIZE + 1 :]


async def test_too_large_a_file_is_refused_at_both_ends(scene: Scene) -> None:
    with pytest.raises(ClientError) as sealing:
        seal(repeat(bytes(CHUNK), ATTACHMENT_LIMIT // CHUNK + 1), "larger", BytesIO())
    assert sealing.value.code == "attachment-too-large"
    with pytest.raises(ServiceError) as uploading:
        await scene.device(ALICE).delivery.blobs.open("0" * 64, BLOB_LIMIT + 1)
    assert uploading.value.code == "too-large"


async def test_too_many_uploads_are_told_how_long_to_wait(scene: Scene) -> None:
    alice = scene.device(ALICE)
    scene.app.state.service.blobs_limit.spend(ALICE.e164, NOW, BLOBS_PER_HOUR)
    with pytest.raises(RateLimitedError) as caught:
        await alice.delivery.blobs.open("0" * 64, 10)
    assert (caught.value.code, "BLOBS_PER_HOUR" in str(caught.value)) == ("rate-limited", True)


async def test_an_attachment_is_gone_after_its_time(scene: Scene) -> None:
    alice = scene.device(ALICE)
    part = await offer(alice.delivery, PNG, "photo.png")
    scene.clock.now += RETENTION + 1
    await scene.app.state.service.blobs.expire(int(scene.clock.now) - RETENTION, int(scene.clock.now))
    with pytest.raises(NotFoundError) as caught:
        await fetch(alice.delivery, part)
    assert (caught.value.code, "Ask the sender" in caught.value.hint) == ("unknown-blob", True)


NAME = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "url",
    [
        f"http://elsewhere.example/v1/blobs/{NAME}",
        f"https://{HOST}/v1/blobs/{NAME}",
        f"http://{HOST}:8080/v1/blobs/{NAME}",
        f"http://{HOST}@elsewhere.example/v1/blobs/{NAME}",
        f"http://{HOST}.elsewhere.example/v1/blobs/{NAME}",
        f"http://{HOST}/other/v1/blobs/{NAME}",
        f"http://{HOST}/v1/blobs/../groups/{NAME}",
        f"http://{HOST}/v1/blobs/{NAME}?a=b",
        f"http://{HOST}/v1/blobs/{NAME}/",
        f"http://{HOST}/v1/blobs/{NAME.upper()}",
        f"http://{HOST}/v1/blobs/{NAME}\n",
        f"/v1/blobs/{NAME}",
        f"file:///v1/blobs/{NAME}",
        f"http://[::1/v1/blobs/{NAME}",
        "",
        "\x1b[2J" * 100,
    ],
)
async def test_nothing_is_fetched_from_a_place_that_the_sender_chose(scene: Scene, url: str) -> None:
    transport = Recording(scene)
    alice = scene.device(ALICE, transport=transport)
    with pytest.raises(ClientError) as caught:
        alice.delivery.blobs.name(replace(sealed_part()[0], url=url))
    assert (caught.value.code, caught.value.hint != "") == ("foreign-attachment", True)
    assert str(caught.value).isprintable()
    assert transport.urls == []


@given(st.text() | st.text().map(lambda text: f"http://{text}/v1/blobs/{NAME}"))
def test_any_url_is_refused_or_is_a_name_at_this_service(url: str) -> None:
    with suppress(ClientError):
        assert blob_name(url, BASE) == NAME
        assert httpx.URL(url).host == HOST


async def test_the_same_service_written_in_another_way_is_the_same(scene: Scene) -> None:
    alice = scene.device(ALICE)
    part = await offer(alice.delivery, PNG, "photo.png")
    for other in (part.url.replace(HOST, HOST.upper()), part.url.replace(HOST, f"{HOST}:80")):
        assert await fetch(alice.delivery, replace(part, url=other)) == PNG


def test_a_file_that_an_earlier_version_stored_explains_itself(scene: Scene) -> None:
    blobs = scene.device(ALICE).delivery.blobs
    with pytest.raises(ContentError) as caught:
        blobs.name(replace(sealed_part()[0], url=f"{BASE}/v1/blobs/{NAME[:32]}"))
    assert caught.value.code == "attachment-old"
    assert "earlier version" in str(caught.value)
    assert "Ask the sender" in caught.value.hint


def test_an_address_of_other_octets_than_the_messages_is_refused_before_anything_is_fetched(scene: Scene) -> None:
    with pytest.raises(ContentError) as caught:
        scene.device(ALICE).delivery.blobs.name(replace(sealed_part()[0], url=f"{BASE}/v1/blobs/{NAME}"))
    assert caught.value.code == "attachment-hash"


async def test_no_more_is_fetched_than_the_message_says(scene: Scene) -> None:
    alice = scene.device(ALICE)
    part = replace(await offer(alice.delivery, PNG, "photo.png"), size=len(PNG) - 1)
    with pytest.raises(ContentError) as caught:
        await fetch(alice.delivery, part)
    assert caught.value.code == "attachment-size"


def test_what_is_said_to_be_too_large_is_not_fetched_at_all() -> None:
    part, _ = sealed_part()
    with pytest.raises(ContentError) as caught:
        ciphertext_limit(replace(part, size=ATTACHMENT_LIMIT + 1))
    assert caught.value.code == "attachment-too-large"
    assert ciphertext_limit(replace(part, size=ATTACHMENT_LIMIT)) == BLOB_LIMIT
    assert ciphertext_limit(replace(part, size=0)) == BLOB_LIMIT  # not stated


def test_each_fault_of_an_attachment_is_found_by_its_own_check() -> None:
    part, ciphertext = sealed_part()
    other = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert opened(part, ciphertext) == PNG
    assert refused(part, ciphertext[:-1]) == "attachment-size"
    assert refused(part, ciphertext + b"\0") == "attachment-size"
    assert refused(part, other) == "attachment-hash"
    assert refused(replace(part, content_hash=bytes(32)), ciphertext) == "attachment-hash"
    assert refused(replace(part, size=0), ciphertext[:-1]) == "attachment-hash"
    assert refused(replace(part, content_hash=sha256(other).digest()), other) == "attachment-key"
    assert refused(replace(part, key=bytes(16)), ciphertext) == "attachment-key"
    assert refused(replace(part, nonce=bytes(12)), ciphertext) == "attachment-key"
    assert refused(replace(part, aad=b"other"), ciphertext) == "attachment-key"
    empty = replace(part, size=0, content_hash=sha256(b"").digest())
    assert refused(empty, b"") == "attachment-key"


@pytest.mark.parametrize(
    "change", [{"encryption": 0}, {"encryption": 2}, {"hash_algorithm": 2}, {"key": bytes(32)}, {"nonce": bytes(8)}]
)
def test_other_algorithms_are_refused_before_anything_is_computed(change: dict[str, object]) -> None:
    part, ciphertext = sealed_part()
    assert refused(replace(part, **change), ciphertext) == "attachment-unsupported"  # type: ignore[arg-type]


@given(st.binary(min_size=1, max_size=300), st.binary(max_size=40))
def test_a_file_encrypted_by_another_program_opens_with_its_additional_data(octets: bytes, aad: bytes) -> None:
    key, nonce = bytes(range(16)), bytes(12)
    ciphertext = AESGCM(key).encrypt(nonce, octets, aad)
    part = ExternalPart("text/plain", "", 0, key, nonce, sha256(ciphertext).digest(), aad=aad)
    assert opened(part, ciphertext) == octets
    assert len(ciphertext) == len(octets) + TAG_SIZE


@given(st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=20), st.integers(0, 2**53))
def test_any_octets_under_any_part_are_refused(octets: bytes, key: bytes, nonce: bytes, size: int) -> None:
    part = ExternalPart("image/png", "", size, key, nonce, sha256(octets).digest())
    assert refused(part, octets).startswith("attachment-")


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a..", "image/gif"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", "application/octet-stream"),
        (b"%PDF-1.7\n\xe2\xe3", "application/pdf"),
        ("Zürich,\n\teh".encode(), "text/plain;charset=utf-8"),
        (b"<svg onload='alert(1)'/>", "text/plain;charset=utf-8"),
        (b"\x1b[2J", "application/octet-stream"),
        (b"\xff\xfe", "application/octet-stream"),
    ],
)
def test_the_type_is_found_in_the_octets_and_not_in_the_name(octets: bytes, expected: str) -> None:
    assert content_type_of(octets) == in_memory(octets, "photo.png")[0].content_type == expected
    assert looks_like_image(octets) == expected.startswith("image/")


def test_of_the_senders_path_only_the_last_component_is_told() -> None:
    assert in_memory(b"x", "/home/alice/private/plan.txt")[0].filename == "plan.txt"


@given(st.binary(min_size=1, max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_in_whatever_chunks_a_file_is_read_its_type_and_its_octets_are_the_same(octets: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(octets)) for cut in cuts), len(octets)]
    target = BytesIO()
    sealed = seal([octets[start:end] for start, end in pairwise(places)], "file", target)
    assert sealed.content_type == content_type_of(octets)
    assert opened(sealed.part(""), target.getvalue()) == octets


def test_a_file_of_any_size_is_sealed_and_opened_in_a_few_chunks_of_memory(tmp_path: Path) -> None:
    with open(tmp_path / "large", "wb") as large:
        large.truncate(48 * CHUNK)
    tracemalloc.start()
    try:
        with open(tmp_path / "sealed", "w+b") as target:
            part = seal(read_file(tmp_path / "large"), "large", target).part("")
        with open(tmp_path / "sealed", "rb") as source:
            saved = save(tmp_path / "in", "large", open_sealed(part, source))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert saved.stat().st_size == 48 * CHUNK
    assert peak < 8 * CHUNK


def test_a_saved_file_is_its_owners_alone_and_takes_no_ones_place(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "downloads"
    paths = [save(folder, "../../photo.png", [bytes([number])]) for number in range(3)]
    assert [path.name for path in paths] == ["photo.png", "photo (2).png", "photo (3).png"]
    assert [path.read_bytes() for path in paths] == [b"\0", b"\1", b"\2"]
    assert all(path.parent == folder and stat.S_IMODE(path.stat().st_mode) == 0o600 for path in paths)


def test_a_symbolic_link_is_not_followed_even_if_it_leads_nowhere(tmp_path: Path) -> None:
    target, victim = tmp_path / "target", tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "a.txt").symlink_to(target)
    (tmp_path / "b.txt").symlink_to(victim)
    assert save(tmp_path, "a.txt", [b"theirs"]).name == "a (2).txt"
    assert save(tmp_path, "b.txt", [b"theirs"]).name == "b (2).txt"
    assert not target.exists()
    assert victim.read_bytes() == b"mine"


@pytest.fixture
def small_files() -> Iterator[None]:
    """The kernel lets this process write no more than 100 octets into a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_files")
def test_nothing_half_written_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(ClientError) as caught:
        save(tmp_path, "photo.png", [PNG])
    assert (caught.value.code, "too large" in str(caught.value), caught.value.hint != "") == ("cannot-save", True, True)
    assert list(tmp_path.iterdir()) == []
    assert save(tmp_path, "photo.png", [b"short"]).read_bytes() == b"short"


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ClientError) as caught:
        save(tmp_path / "file", "photo.png", [PNG])
    assert caught.value.code == "cannot-save"


def test_only_files_of_a_sendable_size_are_read(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    with open(tmp_path / "large", "wb") as large:
        large.truncate(ATTACHMENT_LIMIT + 1)
    os.mkfifo(tmp_path / "pipe")
    codes = {}
    for name in ("empty", "large", "pipe", "missing", ".", "nul\0"):
        with pytest.raises(ClientError) as caught:
            list(read_file(tmp_path / name))
        codes[name] = caught.value.code
    assert codes == {
        "empty": "attachment-empty",
        "large": "attachment-too-large",
        "pipe": "not-a-file",
        "missing": "cannot-read",
        ".": "cannot-read",
        "nul\0": "cannot-read",
    }
