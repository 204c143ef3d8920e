"""Files through dropped connections, restarts and lies of the service: sent once, whole, and nothing left over."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from client.desk.desk import Desk, open_desk
from client.desk.messages import SHOWN_LIMIT
from client.desk.views import ChatView, MessageView
from client.errors import (
    ChatError,
    ClientError,
    ContentError,
    RateLimitedError,
    UnexpectedAnswerError,
    UnreachableError,
)
from client.transfers.uploading import FAILURES
from delivery_service.wire import OCTETS_PER_HOUR
from delivery_service.wire.blobs import PIECE_SIZE, UPLOAD_LIFETIME
from tests.client.conftest import ALICE, BOB, PASSPHRASE, World

PIECES = 3
SIZE = (PIECES - 1) * PIECE_SIZE + 1000
PATIENCE = FAILURES * 4 + 1  # attempts of one request until a transfer waits for later


class Line(httpx.AsyncBaseTransport):
    """The way to the delivery service, which tests cut; `puts` counts the pieces that went over it."""

    def __init__(self, service: httpx.AsyncBaseTransport) -> None:
        self.service = service
        self.puts: Counter[str] = Counter()
        self.ranges: list[str] = []
        self.cut: Callable[[httpx.Request], bool] = lambda request: False
        self.answered: Callable[[httpx.Request, bytes], bytes] = lambda request, body: body
        self.broken_after: int | None = None  # octets of each download

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.cut(request):
            raise httpx.ReadError("the line was cut", request=request)
        if request.method == "PUT" and "/pieces/" in request.url.path:
            self.puts[request.url.path.rpartition("/")[2]] += 1
        answer = await self.service.handle_async_request(request)
        if request.method == "GET" and request.url.path.startswith("/v1/blobs/") and answer.is_success:
            self.ranges.append(request.headers.get("range", ""))
            body = self.answered(request, await answer.aread())
            return httpx.Response(answer.status_code, headers=answer.headers, stream=Broken(body, self.broken_after))
        return answer


class Broken(httpx.AsyncByteStream):
    """A body that may break off."""

    def __init__(self, body: bytes, after: int | None) -> None:
        self.body = body
        self.after = after

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.body if self.after is None else self.body[: self.after]
        if self.after is not None and self.after < len(self.body):
            raise httpx.ReadError("the line was cut")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.services.service.BACKOFF", 0.0)


@pytest.fixture
def line(world: World) -> Line:
    line = Line(world.network.services["delivery.test"])
    world.network.services["delivery.test"] = line
    return line


def opened(world: World, number=ALICE):
    return open_desk(world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False)


@pytest.fixture
async def bob(world: World, line: Line) -> AsyncIterator[Desk]:
    for number in (ALICE, BOB):
        await world.enrol(number)
    async with opened(world, BOB) as desk:
        await desk.device.sync()
        await desk.people.know(ALICE.e164)
        yield desk


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "noise.bin"
    path.write_bytes(os.urandom(SIZE))
    return path


def left(world: World, number=ALICE) -> list[Path]:
    folder = world.home(number) / "transfers"
    return list(folder.iterdir()) if folder.exists() else []


def service(world: World):
    return world.network.services["delivery.test"].service.app.state.service


async def offered(alice: Desk, bob: Desk, file: Path) -> tuple[ChatView, MessageView]:
    """The file as it stands in Bob's chat."""
    chat = await alice.chats.direct(str(BOB))
    await alice.messages.send_file(chat.group, str(file), "listen")
    await alice.device.sync()
    await bob.device.sync()
    return chat, (await bob.messages.page(chat.group))[-1]


async def saved(bob: Desk, message: MessageView, folder: Path) -> bytes:
    return Path(await bob.messages.save(message.row, str(folder))).read_bytes()


async def test_a_large_file_arrives_and_nothing_is_left_over_at_either_end(world, line, bob, file, tmp_path) -> None:
    async with opened(world) as alice:
        _, message = await offered(alice, bob, file)
        assert await saved(bob, message, tmp_path / "in") == file.read_bytes()
        assert line.puts == {"0": 1, "1": 1, "2": 1}
        assert await alice.messages.transfers() == []
    assert (left(world), left(world, BOB)) == ([], [])


async def test_a_cut_line_is_taken_up_where_it_was_in_both_directions(world, line, bob, file, tmp_path) -> None:
    seen: Counter[str] = Counter()

    def every_other(request: httpx.Request) -> bool:
        seen[request.url.path] += 1
        return "/pieces/" in request.url.path and seen[request.url.path] % 2 == 1

    line.cut = every_other
    async with opened(world) as alice:
        _, message = await offered(alice, bob, file)
    line.broken_after = PIECE_SIZE - 1
    assert await saved(bob, message, tmp_path / "in") == file.read_bytes()
    assert line.puts == {"0": 1, "1": 1, "2": 1}
    assert line.ranges == ["", f"bytes={PIECE_SIZE - 1}-", f"bytes={2 * (PIECE_SIZE - 1)}-"]
    assert left(world, BOB) == []


async def test_an_upload_that_found_no_service_goes_on_in_a_later_session_with_what_is_missing(
    world, line, bob, file, tmp_path
) -> None:
    async with opened(world) as alice:
        chat = await alice.chats.direct(str(BOB))
        line.cut = lambda request: "/pieces/1" in request.url.path
        with pytest.raises(UnreachableError) as caught:
            await alice.messages.send_file(chat.group, str(file), "listen")
        assert "ringtrue transfers" in caught.value.hint
        (waiting,) = await alice.messages.transfers()
        assert (waiting.name, waiting.active, waiting.total) == ("noise.bin", False, SIZE + 16)
        await alice.device.sync()  # still cut
    file.unlink()  # what was chosen then is sent, whatever became of it
    line.cut = lambda request: False
    async with opened(world) as alice:
        await alice.device.sync()
        assert await alice.messages.transfers() == []
        assert (await alice.messages.page(chat.group))[-1].attachment.filename == "noise.bin"
        assert len([each for each in await alice.messages.page(chat.group) if each.attachment]) == 1
        await bob.device.sync()
    message = (await bob.messages.page(chat.group))[-1]
    assert len(await saved(bob, message, tmp_path / "in")) == SIZE
    assert line.puts == {"0": 1, "1": 1, "2": 1}
    assert left(world) == []


async def test_a_download_that_broke_off_goes_on_in_a_later_session(world, line, bob, file, tmp_path) -> None:
    async with opened(world) as alice:
        _, message = await offered(alice, bob, file)
    line.broken_after = PIECE_SIZE
    cuts = iter([False] + [True] * PATIENCE)
    line.cut = lambda request: request.url.path.startswith("/v1/blobs/") and next(cuts)
    with pytest.raises(UnreachableError) as caught:
        await saved(bob, message, tmp_path / "in")
    assert "goes on from there" in caught.value.hint
    assert [path.stat().st_size for path in left(world, BOB)] == [PIECE_SIZE]
    line.cut, line.broken_after = (lambda request: False), None
    assert await saved(bob, message, tmp_path / "in") == file.read_bytes()
    assert line.ranges == ["", f"bytes={PIECE_SIZE}-"]
    assert left(world, BOB) == []


async def test_a_service_that_cannot_be_reached_is_said_at_once_and_nothing_is_begun(
    world, line, bob, file, tmp_path
) -> None:
    async with opened(world) as alice:
        _, message = await offered(alice, bob, file)
    line.cut = lambda request: request.url.path.startswith("/v1/blobs/")
    with pytest.raises(UnreachableError) as caught:
        await saved(bob, message, tmp_path / "in")
    assert "network" in caught.value.hint
    assert left(world, BOB) == []


async def test_a_service_that_hands_out_other_octets_is_caught_and_nothing_is_kept(
    world, line, bob, file, tmp_path
) -> None:
    async with opened(world) as alice:
        _, message = await offered(alice, bob, file)
    line.answered = lambda request, body: body[:-1] + bytes([body[-1] ^ 1])
    with pytest.raises(UnexpectedAnswerError) as caught:
        await saved(bob, message, tmp_path / "in")
    assert (caught.value.code, "other octets" in str(caught.value)) == ("blob-altered", True)
    assert "operator" in caught.value.hint
    assert left(world, BOB) == []
    assert not list((tmp_path / "in").glob("*"))


async def test_a_service_that_hands_out_another_length_or_range_is_caught(world, line, bob, file, tmp_path) -> None:
    async with opened(world) as alice:
        _, message = await offered(alice, bob, file)

    class Lying(httpx.AsyncBaseTransport):
        fields: dict[str, str]
        status = 206

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.startswith("/v1/blobs/"):
                return httpx.Response(self.status, headers=self.fields, stream=Broken(b"x" * 10, None))
            return await line.handle_async_request(request)

    lying = world.network.services["delivery.test"] = Lying()
    for status, fields, code in (
        (206, {"content-range": "bytes 5-14/15"}, "unexpected-answer"),
        (206, {}, "unexpected-answer"),
        (206, {"content-range": "bytes 0-9/10", "content-length": "10"}, "blob-altered"),
        (200, {"content-length": str(SIZE * 2)}, "attachment-size"),
        (200, {"transfer-encoding": "chunked"}, "unexpected-answer"),
    ):
        lying.status, lying.fields = status, fields
        with pytest.raises((UnexpectedAnswerError, ContentError)) as caught:
            await saved(bob, message, tmp_path / "in")
        assert (caught.value.code, left(world, BOB)) == (code, [])


async def test_an_upload_can_be_cancelled_while_it_runs_and_nothing_is_left(world, line, bob, file) -> None:
    reached = asyncio.Event()
    real = line.service

    class Stalled(httpx.AsyncBaseTransport):
        app = real.app

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "/pieces/1" in request.url.path:
                reached.set()
                await asyncio.Event().wait()
            return await real.handle_async_request(request)

    async with opened(world) as alice:
        chat = await alice.chats.direct(str(BOB))
        line.service = Stalled()
        sending = asyncio.create_task(alice.messages.send_file(chat.group, str(file)))
        await reached.wait()
        (moving,) = await alice.messages.transfers()
        assert (moving.active, moving.done) == (True, PIECE_SIZE)
        assert "noise.bin, 49 %" in (await alice.device.status()).doing
        assert await alice.messages.cancel_transfer(moving.transfer) == []
        with pytest.raises(ClientError) as caught:
            await sending
        assert caught.value.code == "transfer-cancelled"
        assert all(each.attachment is None for each in await alice.messages.page(chat.group))
        with pytest.raises(ChatError):
            await alice.messages.cancel_transfer(moving.transfer)
    engine = service(world).engine
    assert await engine.read(lambda tx: tx.value("SELECT count(*) FROM blob_uploads")) == 0
    assert left(world) == []


async def test_a_full_quota_is_said_and_nothing_is_left(world, line, bob, file) -> None:
    async with opened(world) as alice:
        chat = await alice.chats.direct(str(BOB))
        service(world).blobs._quota = 1000
        with pytest.raises(ClientError) as caught:
            await alice.messages.send_file(chat.group, str(file))
        assert (caught.value.code, "30 days" in caught.value.hint) == ("too-much-stored", True)
        assert await alice.messages.transfers() == []
    assert left(world) == []


async def test_an_hourly_limit_makes_an_upload_wait_and_go_on_by_itself(world, line, bob, file) -> None:
    async with opened(world) as alice:
        chat = await alice.chats.direct(str(BOB))
        service(world).octets.spend(ALICE.e164, world.clock.now, OCTETS_PER_HOUR - PIECE_SIZE - 200_000)
        with pytest.raises(RateLimitedError) as caught:
            await alice.messages.send_file(chat.group, str(file))
        assert "goes on by itself" in caught.value.hint
        world.clock.now += 3600
        await alice.device.sync()
        assert (await alice.messages.page(chat.group))[-1].attachment is not None
    assert line.puts["0"] == 1


async def test_an_upload_of_more_than_a_day_is_given_up_and_told(world, line, bob, file) -> None:
    async with opened(world) as alice:
        chat = await alice.chats.direct(str(BOB))
        line.cut = lambda request: "/pieces/" in request.url.path
        with pytest.raises(UnreachableError):
            await alice.messages.send_file(chat.group, str(file))
        world.clock.now += UPLOAD_LIFETIME + 1
        with alice.session.listening() as events:
            await alice.device.sync()
            troubles = [
                event for event in (events.get_nowait() for _ in range(events.qsize())) if hasattr(event, "code")
            ]
        assert [event.code for event in troubles] == ["transfer-too-old"]
        assert await alice.messages.transfers() == []
    assert left(world) == []


async def test_an_upload_that_the_service_gave_up_begins_anew(world, line, bob, file) -> None:
    async with opened(world) as alice:
        chat = await alice.chats.direct(str(BOB))
        line.cut = lambda request: "/pieces/2" in request.url.path
        with pytest.raises(UnreachableError):
            await alice.messages.send_file(chat.group, str(file))
        await service(world).blobs.forget(ALICE.e164)
        line.cut = lambda request: False
        await alice.device.sync()
        assert (await alice.messages.page(chat.group))[-1].attachment is not None


async def test_files_of_a_process_that_was_killed_while_it_sealed_are_swept(world, line, bob) -> None:
    async with opened(world) as alice:
        folder = world.home(ALICE) / "transfers"
        folder.mkdir(exist_ok=True)
        (folder / ("0" * 32)).write_bytes(b"half")
        await alice.device.sync()
        assert left(world) == []


async def test_a_file_too_large_to_be_looked_at_is_saved_instead(world, line, bob, tmp_path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(bytes(SHOWN_LIMIT + 1))
    async with opened(world) as alice:
        _, message = await offered(alice, bob, path)
        with pytest.raises(ContentError) as caught:
            await bob.messages.fetch(message.row)
        assert (caught.value.code, "Save it" in caught.value.hint) == ("attachment-not-shown", True)
        assert len(await saved(bob, message, tmp_path / "in")) == SHOWN_LIMIT + 1


async def test_two_who_fetch_the_same_file_at_once_both_get_it(world, line, bob, file, tmp_path) -> None:
    async with opened(world) as alice:
        _, message = await offered(alice, bob, file)
    both = await asyncio.gather(saved(bob, message, tmp_path / "a"), saved(bob, message, tmp_path / "b"))
    assert both == [file.read_bytes()] * 2
    assert left(world, BOB) == []


async def test_a_file_that_waits_can_be_cancelled_in_a_later_session(world, line, bob, file) -> None:
    async with opened(world) as alice:
        chat = await alice.chats.direct(str(BOB))
        line.cut = lambda request: "/pieces/1" in request.url.path
        with pytest.raises(UnreachableError):
            await alice.messages.send_file(chat.group, str(file), "listen")
        (waiting,) = await alice.messages.transfers()
    assert len(left(world)) == 1
    line.cut = lambda request: False
    async with opened(world) as alice:
        assert await alice.messages.cancel_transfer(waiting.transfer) == []
        await alice.device.sync()
        assert all(each.attachment is None for each in await alice.messages.page(chat.group))
    engine = service(world).engine
    assert await engine.read(lambda tx: tx.value("SELECT count(*) FROM blob_uploads")) == 0
    assert left(world) == []


async def blobs_kept(world: World) -> int:
    count: int = await service(world).engine.read(lambda tx: tx.value("SELECT count(*) FROM blobs"))
    return count


async def test_the_file_of_a_message_that_was_taken_back_is_deleted_at_the_service(world, line, bob, file) -> None:
    async with opened(world) as alice:
        chat, message = await offered(alice, bob, file)
        await alice.messages.send_file(chat.group, str(file), "and another")
        await alice.device.sync()
        (first, _) = [each for each in await alice.messages.page(chat.group) if each.attachment]
        assert await blobs_kept(world) == 2
        await alice.messages.delete(first.row)
        await alice.settle()
        await alice.device.sync()
        assert await blobs_kept(world) == 1
        await bob.device.sync()
        withdrawn = await bob.messages.get(message.row)
        assert (withdrawn.withdrawn, withdrawn.attachment) == (True, None)
        (other,) = [each for each in await bob.messages.page(chat.group) if each.attachment]
        assert await bob.messages.fetch(other.row) == file.read_bytes()


async def test_a_file_that_could_not_be_deleted_at_once_is_deleted_in_a_later_session(world, line, bob, file) -> None:
    async with opened(world) as alice:
        chat, _ = await offered(alice, bob, file)
        line.cut = lambda request: request.method == "DELETE"
        await alice.messages.delete((await alice.messages.page(chat.group))[-1].row)
        await alice.settle()
        await alice.device.sync()
    assert await blobs_kept(world) == 1
    line.cut = lambda request: False
    async with opened(world) as alice:
        await alice.device.sync()
    assert await blobs_kept(world) == 0
