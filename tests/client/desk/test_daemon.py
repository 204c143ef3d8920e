"""The daemon: every program of the same user may use an account at once, and none can harm another."""

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest

from client.defence.rules import default_toml
from client.desk import daemon as daemon_module
from client.desk.api import Api
from client.desk.daemon import Daemon
from client.desk.desk import Desk, open_desk
from client.desk.endpoint import NoDaemonError, daemon_is_running, socket_path
from client.desk.protocol import CALLS, REQUEST_LIMIT
from client.desk.remote import DaemonGoneError, open_remote
from client.desk.schema import schema_document
from client.desk.told import ChatChanged, MessageArrived, Told
from client.errors import AccountError, ChatError, ClientError, InviteError
from identity.number import TelephoneNumber
from tests.client.conftest import ALICE, BOB, PASSPHRASE, World
from tests.client.desk.schema_reader import invalid

SCHEMA: Any = schema_document()


class Running:
    """A daemon over a real desk; `stop` ends it."""

    def __init__(self, desk: Desk, home: Path) -> None:
        self.desk = desk
        self.home = home
        self.warned: list[str] = []
        self._stop = asyncio.Event()
        self._ready = asyncio.Event()
        self._task = asyncio.create_task(Daemon(desk, home, self.warned.append).run(self._ready.set, self._stop))

    async def started(self) -> None:
        waiting = asyncio.create_task(self._ready.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        self._stop.set()
        await self._task


@asynccontextmanager
async def desk(world: World, number: TelephoneNumber) -> AsyncIterator[Desk]:
    await world.enrol(number)
    home = world.home(number)
    async with open_desk(
        home, PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
    ) as opened:
        await opened.device.sync()
        yield opened


@asynccontextmanager
async def daemon(world: World, number: TelephoneNumber) -> AsyncIterator[Running]:
    async with desk(world, number) as opened:
        running = Running(opened, world.home(number))
        await running.started()
        try:
            yield running
        finally:
            await running.stop()


@pytest.fixture
async def alice(world: World, stack: AsyncExitStack) -> Running:
    return await stack.enter_async_context(daemon(world, ALICE))


@pytest.fixture
async def remote(alice: Running, stack: AsyncExitStack) -> Api:
    return await stack.enter_async_context(open_remote(alice.home))


@pytest.fixture
async def bob(world: World, stack: AsyncExitStack) -> Desk:
    opened = await stack.enter_async_context(desk(world, BOB))
    await opened.people.know(ALICE.e164)
    return opened


async def line_client(home: Path, stack: AsyncExitStack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A program that speaks the protocol by hand."""
    reader, writer = await asyncio.open_unix_connection(socket_path(home), limit=16 * 1024 * 1024)
    stack.callback(writer.close)
    return reader, writer


async def spoken(reader: asyncio.StreamReader) -> dict[str, Any]:
    line = await reader.readline()
    assert line.isascii()
    read: dict[str, Any] = json.loads(line)
    return read


async def test_a_conversation_through_the_socket(alice: Running, remote: Api, bob: Desk) -> None:
    chat = await remote.chats.create("dinner", [BOB.e164])
    sent = await remote.messages.send(chat.group, "at \x1b[31meight “ü”?")
    await remote.device.sync()
    await bob.device.sync()
    (heard,) = [row for row in await bob.messages.page(chat.group) if row.kind == "received"]
    answer = await bob.messages.send(chat.group, "yes", reply_to=heard.row)
    await bob.device.sync()
    await remote.device.sync()
    rows = await remote.messages.page(chat.group)
    assert [row.text for row in rows if row.kind in ("sent", "received")] == ["at ␛[31meight “ü”?", "yes"]
    assert (await remote.messages.get(sent.row)).state == "delivered"
    received = await remote.messages.find(answer.id)
    assert received.proof is not None
    assert received.proof.verdict == "verified"
    assert received.reply is not None
    assert received.reply.row == sent.row
    assert rows == await alice.desk.messages.page(chat.group), "both ways give the same"
    assert await remote.messages.inspect(received.row) == await alice.desk.messages.inspect(received.row)
    assert await remote.chats.all() == await alice.desk.chats.all()
    assert await remote.messages.first_unread(chat.group) == await alice.desk.messages.first_unread(chat.group)


async def test_rules_are_tried_and_used_through_the_socket(alice: Running, remote: Api, bob: Desk) -> None:
    chat = await remote.chats.create("dinner", [BOB.e164])
    await bob.device.sync()
    await bob.messages.send(chat.group, "hello")
    await bob.device.sync()
    await remote.device.sync()
    toml = (
        f'[[rule]]\nname = "quiet"\nsubject = "message"\nnumbers = ["{BOB.e164}"]\nplace = "quarantine"\n'
        + default_toml()
    )
    (move,) = (await remote.admission.test(toml)).moves
    assert (move.before, move.after, move.rule, move.count) == ("inbox", "quarantine", "quiet", 1)
    assert (await remote.admission.use(toml)).saved is not None
    assert (await alice.desk.admission.rules()).toml == toml
    with pytest.raises(ClientError, match="rule 1") as refused:
        await remote.admission.test("[[rule]]")
    assert refused.value.code == "rules"
    assert [rule.own for rule in (await remote.admission.reset()).rules] == [False] * 9


async def test_files_travel_through_the_socket(remote: Api, bob: Desk, tmp_path: Path) -> None:
    chat = await remote.chats.create("pictures", [BOB.e164])
    octets = os.urandom(200_000)
    (tmp_path / "noise.bin").write_bytes(octets)
    sent = await remote.messages.send_file(chat.group, str(tmp_path / "noise.bin"), "listen")
    await remote.device.sync()
    assert await remote.messages.fetch(sent.row) == octets
    saved = Path(await remote.messages.save(sent.row, str(tmp_path / "saved")))
    assert saved.read_bytes() == octets


async def test_errors_are_the_same_on_both_sides(alice: Running, remote: Api) -> None:
    with pytest.raises(ChatError) as here:
        await alice.desk.chats.find("nowhere")
    with pytest.raises(ClientError) as there:
        await remote.chats.find("nowhere")
    seen = [(str(error), error.code, error.hint, error.exit_code) for error in (here.value, there.value)]
    assert seen[0] == seen[1]
    with pytest.raises(InviteError):
        await alice.desk.chats.direct("+1")
    with pytest.raises(ClientError) as refused:
        await remote.chats.direct("+1")
    assert (refused.value.code, refused.value.exit_code) == (InviteError.code, InviteError.exit_code)


async def test_a_call_made_wrongly_is_refused_before_anything_is_done(remote: Api) -> None:
    with pytest.raises(TypeError):
        await remote.chats.get()  # type: ignore[call-arg]
    with pytest.raises(ClientError, match="Expected `str`"):
        await remote.chats.get(7)  # type: ignore[arg-type]


async def test_many_calls_are_in_flight_at_once(alice: Running, remote: Api) -> None:
    numbers = [f"+120255501{number:02}" for number in range(100)]
    named = await asyncio.gather(*(remote.people.name(number, f"person {number[-2:]}") for number in numbers))
    assert [(each.number, each.name) for each in named] == [(number, f"person {number[-2:]}") for number in numbers]


async def test_every_program_hears_every_event(alice: Running, remote: Api, bob: Desk, stack: AsyncExitStack) -> None:
    other = await stack.enter_async_context(open_remote(alice.home))
    hearing = [asyncio.create_task(_until_arrived(each, "hello")) for each in (remote, remote, other)]
    chat = await remote.chats.create("news", [BOB.e164])
    await remote.messages.send(chat.group, "hello")
    heard = await asyncio.gather(*hearing)
    assert len({each.message.id for each in heard}) == 1


async def _until_arrived(api: Api, text: str) -> MessageArrived:
    async with aclosing(api.events()) as events:
        async for told in events:
            if isinstance(told, MessageArrived) and told.message.text == text:
                return told
    raise AssertionError("the events ended")


async def test_what_is_really_said_is_as_the_schema_says(
    alice: Running, remote: Api, bob: Desk, stack: AsyncExitStack
) -> None:
    reader, writer = await line_client(alice.home, stack)
    writer.write(b'{"id": 0, "call": "events"}\n')
    assert await spoken(reader) == {"id": 0, "result": None}
    chat = await remote.chats.create("dinner", [BOB.e164])
    await remote.messages.send(chat.group, "hello")
    await remote.device.sync()
    await bob.device.sync()
    await bob.messages.send(chat.group, "hello yourself")
    await bob.device.sync()
    await remote.device.sync()
    events: list[dict[str, Any]] = []
    while not any(event["type"] == "message" and event["message"]["kind"] == "received" for event in events):
        events.append((await spoken(reader))["event"])
    assert {"chat", "status"} <= {event["type"] for event in events}
    for event in events:
        assert not invalid(SCHEMA, SCHEMA["event"], event)
    row = events[-1]["message"]["row"] if events[-1]["type"] == "message" else 1
    for number, (call, arguments) in enumerate(_harmless(chat.group, row), 1):
        writer.write(json.dumps({"id": number, "call": call, "with": arguments}).encode() + b"\n")
        said = await spoken(reader)
        while said.get("id") != number:
            said = await spoken(reader)
        shape, part = (SCHEMA["error"], "error") if "error" in said else (SCHEMA["calls"][call]["result"], "result")
        assert not invalid(SCHEMA, shape, said[part]), call
        assert part == "result" or call in ("messages.reveal",), said
        assert not invalid(SCHEMA, SCHEMA["calls"][call]["with"], arguments)


def _harmless(group: str, row: int) -> list[tuple[str, dict[str, object]]]:
    """One call of every method that needs no more than a chat and a row."""
    values = {"group": group, "row": row, "name": "dinner", "number": BOB.e164, "words": "hello", "form": "json"}
    found: list[tuple[str, dict[str, object]]] = []
    for call in CALLS.values():
        needed = [field.name for field in msgspec.structs.fields(call.arguments) if field.default is msgspec.NODEFAULT]
        if set(needed) <= values.keys() and call.method not in _DECISIONS:
            found.append((call.name, {name: values[name] for name in needed}))
    named = {name for name, _ in found}
    assert {"chats.all", "messages.inspect", "messages.search", "people.contacts", "device.doctor"} <= named
    return [(name, given) for name, given in found if name not in _NOT_HERE]


_DECISIONS = (
    "leave",
    "decline",
    "accept",
    "remove",
    "block",
    "grant",
    "refuse",
    "reset",
    "delete",
    "delete_service_data",
)
# These need a file, an own failed message, or the machine's clock to be the world's.
_NOT_HERE = {"messages.fetch", "messages.retry", "device.doctor"}


async def test_lines_that_are_no_requests_are_answered(alice: Running, stack: AsyncExitStack) -> None:
    reader, writer = await line_client(alice.home, stack)
    writer.write(
        b"hello\n\n\xff\n[1]\n" + b'{"id": 3, "call": "nothing"}\n{"id": 4, "call": "chats.all", "with": []}\n'
    )
    answers = [await spoken(reader) for _ in range(6)]
    assert [answer["error"]["code"] for answer in answers[:4]] == ["malformed-request"] * 4
    assert {answer["id"]: answer["error"]["code"] for answer in answers[4:]} == {
        3: "unknown-call",
        4: "wrong-arguments",
    }
    assert all(not invalid(SCHEMA, SCHEMA["error"], answer["error"]) for answer in answers)
    writer.write(b'{"id": 5, "call": "chats.all"}\n')
    assert await spoken(reader) == {"id": 5, "result": []}, "it still listens"


async def test_a_line_without_end_is_refused_and_ends_the_connection(alice: Running, stack: AsyncExitStack) -> None:
    reader, writer = await line_client(alice.home, stack)
    writer.write(b"x" * (REQUEST_LIMIT + 1))
    said = await spoken(reader)
    assert (said["id"], said["error"]["code"]) == (None, "line-too-long")
    assert await _line_or_end(reader) == b""


async def test_what_was_asked_before_hanging_up_is_done(alice: Running, stack: AsyncExitStack) -> None:
    reader, writer = await line_client(alice.home, stack)
    asked = [{"id": n, "call": "people.name", "with": {"number": BOB.e164, "name": "Bob"}} for n in range(100)]
    writer.write("\n".join(map(json.dumps, asked)).encode())  # without a last line break
    writer.write_eof()
    answers = [json.loads(line) for line in (await reader.read()).splitlines()]
    assert {answer["id"] for answer in answers} == set(range(100))
    assert all(answer["result"]["name"] == "Bob" for answer in answers)
    _, writer = await line_client(alice.home, stack)
    writer.write(b'{"id": 1, "call": "people.name", "with": {"number": "+12025550143", "name": "Robert"}}\n')
    writer.close()
    while (await alice.desk.people.contacts())[0].name != "Robert":
        await asyncio.sleep(0.01)


async def test_a_program_that_does_not_read_its_events_is_closed_and_harms_no_other(
    alice: Running, remote: Api, bob: Desk, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "EVENTS_BEHIND", 10)
    reader, writer = await line_client(alice.home, stack)
    writer.write(b'{"id": 1, "call": "events"}\n')
    await spoken(reader)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    chat = await remote.chats.create("drafts", [BOB.e164])
    draft = 0
    while not alice.warned:
        hearing = asyncio.create_task(_until_drafted(remote, f"{draft}"))
        await asyncio.sleep(0)
        await remote.chats.draft(chat.group, f"{draft} " + "x" * 100_000)
        await hearing
        draft += 1
    assert draft > 10
    assert "closed" in alice.warned[0]
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    events, ended = 0, False
    while not ended:
        line = await _line_or_end(reader)
        ended = not line.endswith(b"\n")
        events += not ended
    assert events < draft + 10, "it was closed before it was told everything"


async def _until_drafted(api: Api, beginning: str) -> None:
    async with aclosing(api.events()) as events:
        async for told in events:
            if isinstance(told, ChatChanged) and told.chat.draft.startswith(f"{beginning} "):
                return


async def _line_or_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ConnectionError:
        return b""


async def test_only_so_many_programs_are_served(
    alice: Running, remote: Api, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "CLIENTS", 2)
    await remote.device.account()
    first = await stack.enter_async_context(open_remote(alice.home))
    await first.device.account()
    third = await stack.enter_async_context(open_remote(alice.home))
    with pytest.raises(ClientError) as refused:
        await third.device.account()
    assert (refused.value.code, refused.value.exit_code) == ("too-many-clients", 7)
    assert (await remote.device.account()).number == ALICE.e164


async def test_ending_while_programs_are_connected_leaves_nothing_to_complain_about(
    world: World, alice: Running, stack: AsyncExitStack
) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    for _ in range(3):
        await line_client(alice.home, stack)
    await stack.enter_async_context(open_remote(alice.home))
    await alice.stop()
    await asyncio.sleep(0)  # the callbacks of the connections that were ended
    assert complaints == []


async def test_when_the_daemon_ends_every_call_says_so(alice: Running, remote: Api) -> None:
    hearing = asyncio.create_task(_last(remote))
    await remote.device.account()
    pending = [asyncio.create_task(remote.people.contacts()) for _ in range(100)]
    await asyncio.sleep(0)
    await alice.stop()
    outcomes = await asyncio.gather(*pending, return_exceptions=True)
    assert all(isinstance(outcome, (list, DaemonGoneError)) for outcome in outcomes)
    with pytest.raises(DaemonGoneError):
        await hearing
    with pytest.raises(DaemonGoneError) as gone:
        await remote.device.account()
    assert (gone.value.code, gone.value.exit_code) == ("daemon-gone", 6)
    assert "ringtrue daemon" in gone.value.hint
    assert not daemon_is_running(alice.home)
    assert not socket_path(alice.home).exists()
    with pytest.raises(NoDaemonError):
        async with open_remote(alice.home):
            pass


async def _last(api: Api) -> Told | None:
    last = None
    async with aclosing(api.events()) as events:
        async for told in events:
            last = told
    return last


async def test_the_socket_is_private_and_a_dead_one_is_replaced(
    world: World, alice: Running, stack: AsyncExitStack
) -> None:
    assert stat.S_IMODE(socket_path(alice.home).stat().st_mode) == 0o600
    assert stat.S_IMODE(alice.home.stat().st_mode) == 0o700
    await alice.stop()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path(alice.home)))
    assert not daemon_is_running(alice.home)
    again = Running(alice.desk, alice.home)
    await again.started()
    remote = await stack.enter_async_context(open_remote(alice.home))
    assert (await remote.device.account()).number == ALICE.e164
    await again.stop()
    alice.home.chmod(0o755)
    with pytest.raises(AccountError, match="open to others"):
        await Running(alice.desk, alice.home).started()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
async def test_a_process_of_another_user_is_refused(alice: Running, stack: AsyncExitStack) -> None:
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="ringtrue-")))
    running = Running(alice.desk, folder)
    await running.started()
    folder.chmod(0o755)  # the modes alone would keep others out
    socket_path(folder).chmod(0o666)
    program = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "peer = socket.socket(socket.AF_UNIX); peer.connect(sys.argv[1]); print(peer.recv(65536))"
    )
    command = [sys.executable, "-c", program, str(socket_path(folder))]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True)
    await running.stop()
    assert "wrong-user" in done.stdout, done.stderr


async def test_a_path_that_no_socket_can_have_is_refused_in_words(world: World, alice: Running) -> None:
    far = world.folder / ("x" * 90)
    far.mkdir(mode=0o700)
    with pytest.raises(AccountError, match="longer than") as refused:
        await Running(alice.desk, far).started()
    assert "RINGTRUE_HOME" in refused.value.hint
    assert not daemon_is_running(far)
