"""A person's device in the simulation: the real session over its real store, in a process that dies and comes back."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import mls_rs

from client import session as sessions
from client.credentials.account import inbox_cursor
from client.errors import ClientError
from client.events import ChatJoined, Event, MembersChanged
from client.session import Session
from client.storage.store import Store
from client.worker import Worker
from lab.faults.loop import VirtualLoop
from lab.faults.network import Link
from lab.faults.park import Park
from lab.faults.process import CrashedError, Process, current
from lab.seams.seam import instead

PASSPHRASE = "correct horse battery staple"  # noqa: S105 - of stores in a temporary folder
RESTART = 5.0  # seconds that a dead device stays away, at most
INBOX = b"inbox"  # beside the groups' ids, as what a cursor is of
JITTER = 1.0  # seconds, as in the product


class LoopWorker(Worker):
    """The worker, whose steps run in the virtual loop; whoever stops it sees what was begun finished."""

    def stop(self) -> None:
        """Finish what was begun."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop), "it is used in the simulation alone"
        loop.finish(self._executor)
        super().stop()


class Device:
    """One device: at most one session at a time; its folder moves on with each crash, as a disk would survive it."""

    def __init__(self, name: str, folder: Path, park: Park, *, following: bool) -> None:
        self.name = name
        self.folder = folder
        self.skew = 0.0
        self.following = following
        self.session: Session | None = None
        self.process = Process(name)
        self.cursors: dict[bytes, int] = {}
        self.wanted = False
        self._park = park
        self._lives = 0
        self._main: asyncio.Task[None] | None = None

    def clock(self) -> float:
        """What the device takes for the time."""
        return self._park.clock() + self.skew

    def start(self) -> None:
        """Open the account, if it is not open."""
        self.wanted = True
        if self._main is not None and self.process.alive and not self._main.done():
            return
        self._lives += 1
        self.process = Process(self.name)
        self.process.on_death = self._died
        self._park.trace.say(f"{self.name} starts")
        self._main = self._park.loop.spawn(self.process, self._live())

    async def stop(self) -> None:
        """Close the account as a person does who ends the program."""
        self.wanted = False
        if self._main is not None and not self._main.done() and self.process.alive:
            self._park.trace.say(f"{self.name} stops")
            self._main.cancel()
            await asyncio.wait((self._main,))

    async def _live(self) -> None:
        link = Link(self._park.network, self.process)
        opening = Session.open(self.folder, PASSPHRASE, clock=self.clock, transport=link, jitter=JITTER)
        async with opening as session:
            session.add_listener(self._hear)
            self.session = session
            try:
                if self.following:
                    await self._follow(session)
                await self._park.loop.create_future()
            finally:
                self.session = None

    async def _follow(self, session: Session) -> None:
        try:
            async with aclosing(session.follow()) as events:
                async for _ in events:
                    pass
        except ClientError as error:
            self._park.trace.say(f"{self.name} follows no more: {error.code}")

    def _hear(self, event: Event) -> None:
        self._park.trace.say(f"{self.name} hears {_name(event)}")
        if isinstance(event, ChatJoined | MembersChanged):
            self._note_epoch(event.group_id)
        if (group_id := getattr(event, "group_id", None)) is not None:
            self._watch_cursor(group_id)

    def _note_epoch(self, group_id: bytes) -> None:
        chat = None if self.session is None else self.session.steps.chats.get(group_id)
        if chat is not None and chat.standing.is_member and self.session is not None:
            seen = self._park.authenticators.setdefault((group_id, chat.epoch), set())
            seen.add(self.session.steps.groups.authenticator(group_id))

    def _died(self) -> None:
        """The store's file is left as the disk has it at this moment."""
        self.session = None
        self._park.network.died(self.process)
        survived = self.folder.with_name(f"{self.folder.name.partition('.')[0]}.{self._lives}")
        shutil.copytree(self.folder, survived)
        self.folder = survived
        self._park.graves.append(self.process)
        self._park.trace.fault("crash of a client", self.name)
        if self.wanted:
            after = self._park.draw.random() * RESTART
            self._park.loop.call_later(after, self._come_back, context=self._park.loop.world.context)

    def _come_back(self) -> None:
        if self.wanted:
            self.start()

    def close_check(self) -> None:
        """Note what the last session ended with, if it was not by a person's wish."""
        main = self._main
        if main is not None and main.done() and not main.cancelled() and main.exception() is not None:
            self._park.unexpected.append(f"{self.name} ended with {main.exception()!r}")

    async def act(self, words: str, deed: Callable[[Session], Awaitable[object]]) -> None:
        """Let the person do something with the open account; what is refused is part of the run."""
        session = self.session
        if session is None:
            return
        self._park.trace.say(f"{self.name}: {words}")
        try:
            await deed(session)
        except ClientError as error:
            self._park.trace.say(f"{self.name}: {words}: {error.code}")
        except mls_rs.MlsError as error:
            self._park.unexpected.append(f"{self.name}: {words}: {type(error).__name__}: {error}")
        else:
            self._park.trace.say(f"{self.name}: {words}: done")

    def _watch_cursor(self, group_id: bytes) -> None:
        """Note how far the device has read, over all its lives; whoever reads backwards has lost its place."""
        chat = None if self.session is None else self.session.steps.chats.get(group_id)
        if chat is None or self.session is None:
            return
        for what, cursor in ((group_id, chat.cursor), (INBOX, inbox_cursor(self.session.steps.store))):
            before = self.cursors.get(what, 0)
            if cursor < before:
                words = "its inbox" if what == INBOX else self._park.group(what)
                self._park.unexpected.append(f"{self.name}: the cursor of {words} went back from {before} to {cursor}")
            self.cursors[what] = cursor


def _name(event: Event) -> str:
    seq = getattr(event, "seq", None)
    message = getattr(event, "message", None)
    if seq is None and message is not None:
        seq = getattr(message, "seq", None)
    code = getattr(event, "code", "")
    return " ".join(str(each) for each in (type(event).__name__, seq, code) if each not in (None, ""))


@contextmanager
def crashing_stores(park: Park) -> Iterator[None]:
    """Inside, a device may die before and after each transaction of its store, as the rates say."""
    transaction = Store.transaction

    @contextmanager
    def fragile(store: Store) -> Iterator[None]:
        outer = not store.connection.in_transaction
        with transaction(store):
            yield
            if outer:
                _may_die(park)
        if outer:
            _may_die(park)

    with instead(Store, "transaction", fragile).exchanged():
        yield


def _may_die(park: Park) -> None:
    process = current()
    if process is not None and process.alive and park.network.chance(park.network.rates.step_crash):
        park.loop.kill(process)
        raise CrashedError


WORKER = (sessions, "Worker", LoopWorker)
