"""The terminal client over a long history, in a real pseudo-terminal, beside an empty Textual app.

The account is a real one: its services run, so that the client follows them while it is measured.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from client.desk.desk import open_desk
from client.desk.endpoint import daemon_is_running
from client.enrolling import enrol
from client.session import Session
from identity.authority.wire import ChallengeOpened
from identity.number import TelephoneNumber
from lab.bench.rows import Aim, Row
from lab.bench.terminal_empty import PLACEHOLDER
from lab.bench.terminal_screen import Holds, Screen
from lab.long_history import WORDS, fill
from lab.world import COST, PASSPHRASE, World

OWN, FRIEND = "+12025550100", "+12025550101"
ESCAPE, ENTER, UP, DOWN, PAGE_UP, FIND = b"\x1b", b"\r", b"\x1b[A", b"\x1b[B", b"\x1b[5~", b"\x1b[18~"
COMPOSER = "Enter sends"
WHOLE_WORDS = 2  # of a chat's last message in the list, by which it is found in the conversation
FULL_PAGE = slice(3, 26)  # rows in which only messages stand
START, MOVE, SEARCH = Aim("ours", "at most", 500), Aim("ours", "at most", 50), Aim("ours", "at most", 100)
MEMORY, IDLE = Aim("ours", "at most", 250), Aim("ours", "at most", 1)

Awaited = Callable[[Sequence[str]], Holds]  # what to wait for, given the rows before


@dataclass(frozen=True, slots=True)
class Size:
    """How large the account is, and how often things are done."""

    chats: int
    messages: int
    starts: int
    times: int
    pages: int
    between: float  # seconds from one key to the next: what the first leads to is over then
    idle: float  # seconds


FULL = Size(chats=1_000, messages=100_000, starts=9, times=15, pages=12, between=0.5, idle=20)
SMALL = Size(chats=20, messages=1_000, starts=1, times=2, pages=2, between=0.1, idle=1)


def run(quick: bool = False) -> list[Row]:
    """Make the account, then start the client over it, use it, and leave it alone."""
    return asyncio.run(_run(SMALL if quick else FULL))


async def _run(size: Size) -> list[Row]:
    async with used_account(size) as home:
        found = await _searched(home, size)
        return [*await asyncio.to_thread(_measured, home, size), found]


@asynccontextmanager
async def used_account(size: Size) -> AsyncIterator[Path]:
    """The folder of an account that nobody has open; its services run as long as the context lasts."""
    async with World() as world:
        home, number = world.folder / "home", TelephoneNumber.parse(OWN)

        async def read_code(_: ChallengeOpened) -> str:
            return world.codes.codes[number]

        await enrol(
            home,
            PASSPHRASE,
            number,
            authority=world.authority_url,
            delivery=world.delivery_url,
            ask_code=read_code,
            cost=COST,
        )
        friend = await world.person("Bob", FRIEND)
        async with Session.open(home, PASSPHRASE, jitter=0) as session:
            await session.maintain()
            chat = await friend.create_chat("Rope", [number])
            await friend.send(chat.group_id, "Are you there?")
            await session.receive()
            await fill(session, friend, size.chats, size.messages, session.now())
        yield home


async def _searched(home: Path, size: Size) -> Row:
    """The call, without a screen."""
    spent = []
    async with open_desk(home, PASSPHRASE, follow=False) as desk:
        for word in WORDS[: size.times]:
            started = time.perf_counter()
            await desk.messages.search(word)
            spent.append(1000 * (time.perf_counter() - started))
    note = "the newest 100 of all that contain one common word, with their proofs' verdicts; no floor"
    return Row("search in all, the call", median(spent), "ms", size.messages, aim=SEARCH, note=note)


def _measured(home: Path, size: Size) -> list[Row]:
    passphrase = home.parent / "passphrase"
    passphrase.write_text(f"{PASSPHRASE}\n")
    passphrase.chmod(0o600)
    environment = _environment(home, passphrase)
    starts = _starts(environment, size)
    with _daemon(home, environment):
        with_daemon = _starts(environment, size)
    return [*_start_rows(starts, with_daemon, size), *_used(environment, size)]


def _environment(home: Path, passphrase: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX", "STY")}
    return {
        **kept,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "RINGTRUE_HOME": str(home),
        "RINGTRUE_PASSPHRASE_FILE": str(passphrase),
        "RINGTRUE_CONFIG": str(home.parent / "no-config.toml"),
    }


@contextmanager
def _daemon(home: Path, environment: dict[str, str]) -> Iterator[None]:
    running = subprocess.Popen([*_python("ringtrue"), "daemon"], env=environment, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    try:
        while not daemon_is_running(home):
            if running.poll() is not None:
                raise RuntimeError("the daemon has ended")
            time.sleep(0.05)
        yield
    finally:
        running.terminate()
        running.wait()


def _client(environment: dict[str, str]) -> Screen:
    return Screen(_python("ringtrue"), environment)


def _empty(environment: dict[str, str]) -> Screen:
    return Screen(_python("lab.bench.terminal_empty"), environment)


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


# --- starting


@dataclass(slots=True)
class Starts:
    """Milliseconds from the process's start, one of each for each start."""

    empty: list[float]
    listed: list[float]
    opened: list[float]
    empty_cpu: list[float]
    listed_cpu: list[float]


def _starts(environment: dict[str, str], size: Size) -> Starts:
    """By turns, so that what else the machine does is the same for both; the first of each warms up."""
    starts = Starts([], [], [], [], [])
    for _ in range(size.starts + 1):
        with _empty(environment) as screen:
            starts.empty.append(1000 * (screen.until(_shows(PLACEHOLDER)) - screen.started))
            starts.empty_cpu.append(1000 * screen.cpu())
        with _client(environment) as screen:
            starts.listed.append(1000 * (screen.until(_lists_chats) - screen.started))
            starts.listed_cpu.append(1000 * screen.cpu())
            screen.press(ENTER)
            starts.opened.append(1000 * (screen.until(_shows(COMPOSER)) - screen.started))
    for each in (starts.empty, starts.listed, starts.opened, starts.empty_cpu, starts.listed_cpu):
        del each[0]
    return starts


def _start_rows(here: Starts, by_daemon: Starts, size: Size) -> Iterator[Row]:
    given = "the passphrase is given, and as cheap as in tests: Argon2id's usual 64 MiB come on top"
    for name, starts, note in (
        ("start to the list of chats", here, f"{given}; {_cpu_words(here)}"),
        ("the same while a daemon runs", by_daemon, _cpu_words(by_daemon)),
    ):
        floor = median(starts.empty)
        yield Row(name, median(starts.listed), "ms", size.chats, "empty app, first frame", floor, START, note)
    floor = median(here.empty)
    note = "Enter is pressed when the list is there"
    yield Row("start to a chat with its composer", median(here.opened), "ms", size.chats, "the same", floor, note=note)


def _cpu_words(starts: Starts) -> str:
    return f"CPU {median(starts.listed_cpu):.0f} ms, the empty app's {median(starts.empty_cpu):.0f} ms"


# --- using it


def _used(environment: dict[str, str], size: Size) -> Iterator[Row]:
    with _empty(environment) as empty, _client(environment) as client:
        empty.until(_shows(PLACEHOLDER))
        client.until(_lists_chats)
        client.press(ENTER)
        client.until(_shows(COMPOSER))
        client.rest(1)
        floor = median(_typed(empty, size))
        yield Row("key to echo", median(_typed(client, size)), "ms", None, "key to echo, empty app", floor)
        client.press(b"\x7f" * size.times)
        yield Row("chat switch", median(_switched(client, size)), "ms", size.chats, "the same", floor, MOVE)
        pages = _paged(client, size)
        yield Row("page up", median(pages), "ms", size.messages, "the same", floor, MOVE)
        slow = quantiles(pages, n=10)[-1]
        note = "at every third or so, rows are read and mounted above"
        yield Row("page up, nine in ten within", slow, "ms", size.messages, "the same", floor, MOVE, note)
        note = "from the last key; 20 ms of it are the pause after which it is looked for, 25 the call"
        yield Row(
            "search in all, on the screen", median(_found(client, size)), "ms", size.messages, aim=SEARCH, note=note
        )
        yield Row(
            "peak memory after all that", client.memory(), "MiB", size.messages, "empty app", empty.memory(), MEMORY
        )
        ours, floor = _idle(client, empty, size)
        yield Row("idle CPU, online", ours, "%", size.chats, "empty app", floor, IDLE)


def _typed(screen: Screen, size: Size) -> list[float]:
    """Each letter until it is on the screen."""
    return [_timed(screen, letter.encode(), _differs, size) for letter in "abcdefghijklmnopqrstuvwxyz"[: size.times]]


def _switched(client: Screen, size: Size) -> list[float]:
    """Enter in the list, until the end of the last message of the chat below is there."""
    spent = []
    for _ in range(size.times):
        for key in (ESCAPE, DOWN):
            client.press(key)
            client.rest(size.between)
        spent.append(_timed(client, ENTER, _shows_chosen, size))
    return spent


def _paged(client: Screen, size: Size) -> list[float]:
    """Page up from the end of a chat, in some chats."""
    spent = []
    for _ in range(3):
        for key in (ESCAPE, DOWN, ENTER, UP):
            client.press(key)
            client.rest(size.between)
        spent += [_timed(client, PAGE_UP, _scrolls, size) for _ in range(size.pages)]
    return spent


def _found(client: Screen, size: Size) -> list[float]:
    spent = []
    for word in WORDS[: size.times]:
        client.press(FIND)
        client.rest(size.between)
        spent.append(_timed(client, word.encode(), _marks(word), size))
        client.press(ESCAPE)
        client.rest(size.between)
    return spent


def _idle(client: Screen, empty: Screen, size: Size) -> tuple[float, float]:
    """Percent of one CPU that each takes in the same seconds, after it was used."""
    client.rest(size.between)
    before = client.cpu(), empty.cpu()
    started = time.perf_counter()
    client.rest(size.idle)
    elapsed = time.perf_counter() - started
    return 100 * (client.cpu() - before[0]) / elapsed, 100 * (empty.cpu() - before[1]) / elapsed


def _timed(screen: Screen, keys: bytes, awaited: Awaited, size: Size) -> float:
    """Milliseconds from the keys until what is awaited, given the rows before; the screen rests afterwards."""
    holds = awaited(screen.rows)
    pressed = screen.press(keys)
    spent = 1000 * (screen.until(holds) - pressed)
    screen.rest(size.between)
    return spent


# --- what is on the screen


def _shows(words: str) -> Holds:
    return lambda rows: any(words in row for row in rows)


def _marks(word: str) -> Awaited:
    return lambda before: _shows(f"[{word}]")


def _lists_chats(rows: Sequence[str]) -> bool:
    """Whether the list has names, and a cursor."""
    return any(row.startswith("▸") and "Chat " in row.partition("│")[0] for row in rows)


def _differs(before: Sequence[str]) -> Holds:
    return lambda rows: list(rows) != list(before)


def _scrolls(before: Sequence[str]) -> Holds:
    return lambda rows: _conversation(rows)[FULL_PAGE] != _conversation(before)[FULL_PAGE]


def _shows_chosen(before: Sequence[str]) -> Holds:
    """Whether the conversation is the one under the list's cursor, with its last message."""
    listed = [row.partition("│")[0] for row in before]
    place = next(place for place, row in enumerate(listed) if row.startswith("▸"))
    name, last = listed[place][3:].strip(), " ".join(listed[place + 1].split()[:WHOLE_WORDS])
    return lambda rows: _conversation(rows)[0].strip() == name and any(last in row for row in _conversation(rows)[1:])


def _conversation(rows: Sequence[str]) -> list[str]:
    return [row.partition("│")[2] for row in rows]
