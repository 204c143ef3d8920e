"""The desk over a session in this process: it follows the services, ends what is to disappear, and tells about it."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import httpx

from client.desk.admission import DeskAdmission
from client.desk.api import Api
from client.desk.chats import DeskChats
from client.desk.device import DeskDevice
from client.desk.devices import DeskDevices
from client.desk.messages import DeskMessages
from client.desk.people import DeskPeople
from client.desk.telling import Telling
from client.desk.told import Told
from client.desk.trust import DeskTrust
from client.desk.views import MessageView
from client.desk.works import Works
from client.errors import ClientError, UnreachableError
from client.events import Event, Trouble
from client.session import COMMIT_JITTER, Session
from client.storage.home import Home

ENDING_TICK = 1.0  # seconds between looks at what is to disappear, while anything is
IDLE_TICK = 2.0  # seconds, while nothing is
HEAD_START = 0.3  # seconds that whoever opens the account has for first questions, before it is followed
RESTART = 5.0  # seconds until following is tried again after an error that made it end


class Desk(Api):
    """One open account, at work until its context ends."""

    def __init__(self, session: Session, home: Home, clock: Callable[[], float]) -> None:
        self.session = session
        self._works = Works(session, clock)
        self._connection = self._works.connection
        device = DeskDevice(self._works, home)
        self._telling = Telling(self._works, device)
        self._chats, self._messages = DeskChats(self._works), DeskMessages(self._works)
        self._people, self._device = DeskPeople(self._works), device
        self._admission = DeskAdmission(self._works)
        self._trust = DeskTrust(self._works, home)
        self._devices = DeskDevices(self._works)

    @property
    def chats(self) -> DeskChats:
        return self._chats

    @property
    def messages(self) -> DeskMessages:
        return self._messages

    @property
    def people(self) -> DeskPeople:
        return self._people

    @property
    def admission(self) -> DeskAdmission:
        return self._admission

    @property
    def device(self) -> DeskDevice:
        return self._device

    @property
    def trust(self) -> DeskTrust:
        return self._trust

    @property
    def devices(self) -> DeskDevices:
        return self._devices

    def events(self) -> AsyncGenerator[Told]:
        """What happens from now on."""
        return self._telling.events()

    async def settle(self) -> None:
        """Wait for what is being posted."""
        await self._works.settle()

    @asynccontextmanager
    async def working(self, follow: bool) -> AsyncIterator[None]:
        """Tell and end messages, and with `follow` stay up to date, for as long as the context lasts."""
        jobs = [self._telling.run(), self._end_messages(), *([self._follow()] if follow else [])]
        tasks = [asyncio.create_task(job) for job in jobs]
        self.session.add_listener(self._heard)
        try:
            yield
        finally:
            self.session.remove_listener(self._heard)
            await self.session.linking.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._works.close()

    def _heard(self, event: Event) -> None:
        if isinstance(event, Trouble) and isinstance(event.error, UnreachableError):
            self._connection.failed(event.error, self._works.now())
        self._works.tell_event(event)

    async def _follow(self) -> None:
        if await self._works.run(self._works.steps.joiner.can_be_invited):
            await asyncio.sleep(HEAD_START)
        while True:
            try:
                async with aclosing(self.session.follow(self._connected)) as events:
                    async for _ in events:
                        pass
            except ClientError as error:
                self._connection.failed(error, self._works.now())
                self._works.tell_event(Trouble(None, error, error.code, str(error)))
            await asyncio.sleep(RESTART)

    def _connected(self, error: ClientError | None) -> None:
        news = self._connection.answered() if error is None else self._connection.failed(error, self._works.now())
        if news:
            self._works.tell()

    async def _end_messages(self) -> None:
        while True:
            ending = await self._works.run(self._works.steps.relations.next_end)
            if ending is not None and ending <= self._works.now():
                self._works.changes.gone += await self._works.run(self._end)
                self._works.tell()
            await asyncio.sleep(IDLE_TICK if ending is None else ENDING_TICK)

    def _end(self) -> list[MessageView]:
        ended = self._works.steps.history.select("WHERE m.ends_at <= ?", self._works.now())
        views = self._works.showing.messages(ended)
        for message in ended:
            self._works.changes.groups.add(message.group_id)
        self._works.steps.relations.end(self._works.now())
        return views


@asynccontextmanager
async def open_desk(
    home: Path,
    passphrase: str | None,
    *,
    clock: Callable[[], float] = time.time,
    transport: httpx.AsyncBaseTransport | None = None,
    jitter: float = COMMIT_JITTER,
    follow: bool = True,
) -> AsyncIterator[Desk]:
    """Open an account; `passphrase` is None if the keyring holds the store's key. Raises AccountError."""
    async with Session.open(home, passphrase, clock=clock, transport=transport, jitter=jitter) as session:
        desk = Desk(session, Home(home), clock)
        async with desk.working(follow):
            yield desk
