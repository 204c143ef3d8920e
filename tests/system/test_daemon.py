"""The daemon as a process: commands beside it, programs that talk to it, and every way in which it can end."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.world import World
from tests.client.desk.schema_reader import invalid
from tests.system.shell import MAIN, ROOT, Result, Shell

ALICE, BOB = "+12025550142", "+12025550143"
NO_PASSPHRASE = {"RINGTRUE_PASSPHRASE_FILE": ""}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World() as world:
        yield world


@asynccontextmanager
async def daemon(person: Shell) -> AsyncIterator[Process]:
    """A running daemon; killed at the end if it still runs."""
    process = await person.start("daemon", "--json")
    try:
        ready = json.loads(await _line(process))
        assert (ready["type"], ready["number"]) == ("ready", person.number), ready
        assert ready["socket"] == str(person.home / "daemon.sock")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _line(process: Process) -> bytes:
    assert process.stdout is not None
    line = await process.stdout.readline()
    assert line, "the process ended"
    return line


async def _friends(world: World, folder: Path) -> tuple[Shell, Shell]:
    alice, bob = Shell(world, folder, ALICE), Shell(world, folder, BOB)
    for person, friend in ((alice, BOB), (bob, ALICE)):
        await person.enroll()
        await person.run("contacts", "add", friend)
    assert (await alice.run("chat", "new", "club", BOB)).code == 0
    return alice, bob


async def test_commands_work_beside_a_daemon_and_need_no_passphrase(world: World, tmp_path: Path) -> None:
    alice, bob = await _friends(world, tmp_path)
    async with daemon(bob) as process:
        following = await bob.start("receive", "--follow", "--json", "--max", "3", "--timeout", "60", **NO_PASSPHRASE)
        assert [json.loads(await _line(following))["type"] for _ in range(2)] == ["notice", "chat-named"]
        await alice.run("send", "club", "now")
        assert json.loads(await _line(following))["text"] == "now"
        assert (await following.communicate(), following.returncode)[1] == 0
        sent = await bob.run("send", "club", "yes", "--json", **NO_PASSPHRASE)
        assert [line["state"] for line in sent.lines] == ["delivered"]
        assert (await bob.run("receive", "--json", **NO_PASSPHRASE)).lines == [], "nothing is shown twice"
        second = await bob.run("daemon", "--json")
        assert (second.code, second.lines[0]["reason"]) == (8, "daemon-runs")
        wrong = await bob.run("send", "nowhere", "x", "--json")
        assert (wrong.code, wrong.lines[0]["reason"]) == (5, "unknown-chat")
        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
        assert (process.returncode, err) == (0, b"")
    assert not (bob.home / "daemon.sock").exists()
    rows = (await bob.run("history", "club", "--json")).lines
    assert [row["text"] for row in rows if row["type"] in ("message", "sent")] == ["now", "yes"]


async def test_after_a_kill_everything_goes_on(world: World, tmp_path: Path) -> None:
    alice, bob = await _friends(world, tmp_path)
    async with daemon(bob) as process:
        following = await bob.start("receive", "--follow", "--json", **NO_PASSPHRASE)
        assert [json.loads(await _line(following))["type"] for _ in range(2)] == ["notice", "chat-named"]
        process.kill()
        out, err = await following.communicate()
        assert following.returncode == 6
        assert json.loads(out)["reason"] == "daemon-gone"
        assert b"Traceback" not in err
    assert (bob.home / "daemon.sock").exists(), "a killed process leaves its socket"
    await alice.run("send", "club", "are you there?")
    assert (await bob.run("receive", "--json")).lines[-1]["text"] == "are you there?"
    async with daemon(bob) as process:
        assert (await bob.run("chat", "list", **NO_PASSPHRASE)).code == 0
        process.send_signal(signal.SIGINT)
        await process.communicate()
        assert process.returncode == 0


async def test_an_account_in_use_names_the_process_and_the_daemon(world: World, tmp_path: Path) -> None:
    _, bob = await _friends(world, tmp_path)
    following = await bob.start("receive", "--follow", "--json")
    await _line(following)
    busy = await bob.run("daemon", "--json")
    assert (busy.code, busy.lines[0]["reason"]) == (8, "account-busy")
    assert f"process {following.pid}" in busy.err
    assert "ringtrue daemon" in busy.err
    following.kill()
    await following.communicate()


async def test_a_full_disk_is_said_in_words_and_the_daemon_goes_on(world: World, tmp_path: Path) -> None:
    _, bob = await _friends(world, tmp_path)
    await bob.run("receive")
    # No file of this process can grow beyond this: for the store, that is a full disk.
    limit = (bob.home / "store.db").stat().st_size + 400_000
    program = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); {MAIN}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, "daemon", env=bob.env, cwd=bob.folder, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(process.communicate)
        stack.callback(lambda: process.returncode is None and process.kill())
        await _line(process)
        await _fill_the_disk(bob)
        assert (await bob.run("history", "club", "--json", **NO_PASSPHRASE)).lines[0]["type"] == "notice"
        process.send_signal(signal.SIGTERM)
        _, err = await process.communicate()
        assert process.returncode == 0, err
    assert (await bob.run("send", "club", "there is room again")).code == 0


async def _fill_the_disk(bob: Shell) -> None:
    result = Result(0, "", "")
    text = "x" * 20_000
    for _ in range(100):
        result = await bob.run("send", "club", "-", "--json", stdin=text.encode(), **NO_PASSPHRASE)
        if result.code not in (0, 6):
            break
    assert (result.code, result.lines[-1]["reason"]) == (1, "store")
    assert "disk" in result.lines[-1]["detail"] + result.lines[-1]["hint"]


async def test_the_bot_of_the_readme_answers(world: World, tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len([line for line in program.splitlines() if line]) <= 15
    alice, bob = await _friends(world, tmp_path)
    await bob.run("receive")
    async with daemon(bob), AsyncExitStack() as stack:
        bot = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=bob.env, stderr=PIPE)
        stack.push_async_callback(bot.communicate)
        stack.callback(lambda: bot.returncode is None and bot.kill())
        answers: list[dict[str, Any]] = []
        while not answers:  # the bot may not listen yet
            assert bot.returncode is None
            await alice.run("send", "club", "echo “ü”?")
            lines = (await alice.run("receive", "--json")).lines
            answers = [line for line in lines if line["type"] == "message"]
        assert answers[0]["text"] == "echo “ü”?"
        assert answers[0]["proof"]["verdict"] == "verified"
        assert answers[0]["reply"]["text"] == "echo “ü”?"


async def test_every_json_line_is_as_the_schema_says(world: World, tmp_path: Path) -> None:
    alice, bob = Shell(world, tmp_path, ALICE), Shell(world, tmp_path, BOB)
    enrolled = [(await person.enroll()).lines for person in (alice, bob)]
    schema = json.loads((await alice.run("schema")).out)
    said = [line for lines in enrolled for line in lines]

    async def run(person: Shell, *args: str) -> list[dict[str, Any]]:
        lines = (await person.run(*args, "--json")).lines
        said.extend(lines)
        return lines

    await run(alice, "chat", "new", "club", BOB)
    (sent,) = await run(alice, "send", "club", "hello")
    (request,) = await run(bob, "receive")
    assert (request["type"], request["number"]) == ("request", ALICE)
    assert "hello" not in json.dumps(request)
    assert await run(bob, "requests") == [request]
    (accepted,) = await run(bob, "requests", "accept", request["group"][:8])
    assert accepted["chat"] == "club"
    rows = await run(bob, "receive")
    assert [row["text"] for row in rows if row["type"] == "message"] == ["hello"]
    (message,) = (row for row in rows if row["type"] == "message")
    assert message["id"] == sent["id"]
    (answer,) = await run(bob, "reply", message["id"][:10], "hello yourself")
    await run(bob, "react", message["id"], "👍")
    (edited,) = await run(bob, "edit", answer["id"], "hello you")
    assert (edited["text"], edited["edited"]) == ("hello you", True)
    heard = await run(alice, "receive")
    assert {"message", "reaction", "edit"} <= {row["type"] for row in heard}
    (mine,) = (row for row in await run(alice, "history", "club") if row["id"] == message["id"])
    assert mine["reactions"] == [{"emoji": "👍", "numbers": [BOB], "own": False}]
    (bob.folder / "notes.txt").write_text("first, the rope")
    (offered,) = await run(bob, "attach", "club", "notes.txt", "--caption", "read this")
    await run(alice, "receive")
    (saved,) = await run(alice, "save", offered["id"])
    assert Path(saved["file"]).read_text() == "first, the rope"
    (deleted,) = await run(bob, "delete", offered["id"])
    assert deleted["withdrawn"] is True
    assert [row["id"] for row in await run(bob, "search", "yourself")] == []
    assert [row["id"] for row in await run(bob, "search", "hello you")] == [answer["id"]]
    (inspected,) = await run(bob, "inspect", message["id"])
    assert len(inspected["checks"]) == 15
    (hers, about_bob), (his, about_alice) = [await run(person, "check-number", "club") for person in (alice, bob)]
    assert hers["digits"] == his["digits"]
    assert (about_bob["number"], about_alice["number"]) == (BOB, ALICE)
    assert about_bob["agrees"] is about_alice["agrees"] is True
    assert (await run(alice, "timer", "club", "8h"))[0]["timer"] == 8 * 3600
    assert (await run(alice, "mute", "club", "1d"))[0]["muted_until"] is not None
    assert (await run(alice, "mute", "club", "off"))[0]["muted_until"] is None
    assert (await run(alice, "pin", "club"))[0]["pinned"] is True
    assert (await run(alice, "rename", "club", "rope club"))[0]["chat"] == "rope club"
    assert (await run(alice, "archive", "rope club"))[0]["archived"] is True
    assert [chat["chat"] for chat in await run(alice, "chat", "list", "--archived")] == ["rope club"]
    admins = await run(alice, "admin", "rope club", BOB)
    assert all(member["admin"] for member in admins)
    await run(bob, "receive")
    (named,) = await run(bob, "contacts", "name", ALICE, "Ali")
    assert (named["name"], await run(bob, "contacts")) == ("Ali", [named])
    assert (await run(bob, "block", ALICE))[0]["blocked"] is True
    assert (await run(bob, "unblock", ALICE))[0]["blocked"] is False
    await run(bob, "quarantine")
    exported = (await bob.run("export-chat", "rope club", "--form", "json")).out
    assert "hello" in exported
    assert json.loads(exported)
    await run(bob, "export-chat", "rope club", "-o", str(bob.folder / "all.txt"))
    await run(bob, "members", "rope club")
    await run(bob, "leave", "rope club")
    await run(bob, "doctor")
    await run(bob, "requests", "accept", ALICE)
    assert {"error", "contact", "member", "finding", "inspection", "exported", "check-number", "agreement"} <= {
        line["type"] for line in said
    }
    for line in said:
        assert not invalid(schema, schema["lines"][line["type"]], line), line
        if line["type"] == "error":
            assert line["reason"] in schema["codes"]


async def test_bad_arguments_are_words(world: World, tmp_path: Path) -> None:
    alice, _ = await _friends(world, tmp_path)
    not_text = os.fsdecode(b"\xff")
    for args in (
        ("send", "club", not_text),
        ("search", not_text),
        ("contacts", "name", BOB, not_text),
        ("contacts", "add", not_text),
        ("chat", "new", not_text, BOB),
        ("rename", "club", not_text),
        ("history", not_text),
        ("inspect", not_text),
        ("requests", "accept", not_text),
        ("timer", "club", "soon"),
        ("attach", "club", "/nonexistent"),
        ("save", "0" * 64),
    ):
        refused = await alice.run(*args)  # fails on a traceback
        assert refused.code in (0, 1, 2, 5), (args, refused)
