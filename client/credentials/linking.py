"""Linking a second device, on the device that has the number: a code is shown, and a person compares and agrees.

| state     | what is waited for                         | next                            |
|-----------|--------------------------------------------|---------------------------------|
| waiting   | that the code is typed into the new device | comparing, ended                |
| comparing | that the person agrees to what they see    | granting, ended                 |
| granting  | that the new device has its certificate    | adding, ended                   |
| adding    | that it is in every chat                   | done                            |
| done      | nothing                                    | (another linking may begin)     |
| ended     | nothing; `error` says why                  | (another linking may begin)     |

Nothing outlasts an end before `granting`. After it the new device stays known (client.credentials.siblings), and what
is left to do is done by itself, unless the person takes it back.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.devices import Devices
from client.credentials.enrolment import EnrolmentClient
from client.credentials.link_channel import LinkChannel
from client.credentials.link_code import LinkCode, new_link_code
from client.credentials.link_messages import (
    CHATS_LIMIT,
    CONTACTS_LIMIT,
    KEYS_LIMIT,
    NAME_LIMIT,
    AddedChat,
    Done,
    Grant,
    Hello,
    KnownPerson,
    Offer,
    Ready,
)
from client.credentials.meeting import Meeting
from client.credentials.token_authority import Wanted
from client.credentials.trust import load_trust
from client.errors import ClientError, LinkError
from client.formats.text import safe_name
from client.steps.wired import Steps
from client.worker import Worker
from identity.authority.links.wire import MAILBOX_LIFETIME, SLOTS
from identity.certificates import public_point
from identity.device import spki_hash
from identity.enrolment.acme_jws import JWK

FIRST = SLOTS[0]
CANCELLED = "it was cancelled on the device that has the number"
REFUSED = "the person said no on the device that has the number, and nothing was given to the other one"
UNNAMED = "a device without a name"


class LinkState(StrEnum):
    """How far a linking is."""

    WAITING = "waiting"
    COMPARING = "comparing"
    GRANTING = "granting"
    ADDING = "adding"
    DONE = "done"
    ENDED = "ended"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self in (LinkState.DONE, LinkState.ENDED)


@dataclass(frozen=True, slots=True)
class LinkProgress:
    """What there is to see of a linking; `step` counts the changes. `ends_at` bounds what is waited for.

    `name`, `key` (32 hexadecimal digits) and `comparison` are known from `comparing` on. When it is done, `left_out`
    are the chats that the device did not come into, with the reason. `trouble`: why nothing goes on now.
    """

    step: int
    state: LinkState
    code: LinkCode
    ends_at: int
    name: str = ""
    key: str = ""
    comparison: str = ""
    chats: int = 0
    left_out: tuple[tuple[str, str], ...] = ()
    error: ClientError | None = None
    trouble: str = ""


class Linking:
    """One linking at a time; `start` begins another one when the last is over."""

    def __init__(
        self,
        steps: Steps,
        devices: Devices,
        worker: Worker,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        self._steps = steps
        self._devices = devices
        self._run = worker.run
        self._clock = clock
        self._transport = transport
        self._progress: LinkProgress | None = None
        self._starting = asyncio.Lock()
        self._changed = asyncio.Event()
        self._answered: asyncio.Future[bool] | None = None
        self._meeting: Meeting | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def progress(self) -> LinkProgress | None:
        """The linking that is going on, or the last one; None if there was none."""
        return self._progress

    async def start(self) -> LinkProgress:
        """Show a code, under which a new device can be met for ten minutes. Raises LinkError while one is going on."""
        going_on = self._progress is not None and not self._progress.state.is_over
        if self._starting.locked() or going_on:
            raise LinkError(
                "a device is being linked already", code="linking", hint="Cancel it, or wait until it ends."
            )
        async with self._starting:
            return await self._start()

    async def _start(self) -> LinkProgress:
        code = new_link_code(self._steps.groups.account.authority)
        channel = LinkChannel(code.secret)
        self._answered = asyncio.get_running_loop().create_future()
        meeting = Meeting(
            code.authority or "",
            channel,
            FIRST,
            clock=self._clock,
            transport=self._transport,
            troubled=self._troubled,
        )
        progress = LinkProgress(0, LinkState.WAITING, code, meeting.ends_at)
        try:
            await meeting.say(Offer(self._own_point()), patient=False)
        except ClientError:
            await meeting.aclose()
            raise
        self._meeting = meeting
        self._show(progress)
        self._task = asyncio.create_task(self._link(meeting))
        return progress

    def answer(self, *, agreed: bool) -> None:
        """The person's answer to what they compared. Raises LinkError if nothing waits for one."""
        comparing = self._progress is not None and self._progress.state is LinkState.COMPARING
        if not comparing or self._answered is None or self._answered.done():
            raise LinkError("no device waits for an answer", code="not-linking", hint="Begin: ringtrue devices add")
        self._answered.set_result(agreed)

    async def cancel(self, why: str = CANCELLED) -> None:
        """Go no further; a device that was granted the number is not one's own any more."""
        if self._task is None or self._progress is None or self._progress.state.is_over:
            return
        state, key = self._progress.state, self._progress.key
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if state in (LinkState.COMPARING, LinkState.GRANTING):  # what was agreed to may just have been granted
            await self._withdraw(key)
        if self._meeting is not None and state is not LinkState.ADDING:
            await self._meeting.end(why)
        await self._close(LinkError(why, code="link-cancelled", hint="To begin again: ringtrue devices add"))

    async def changed(self, seen: int, patience: float) -> LinkProgress | None:
        """The linking once it is beyond the step that was seen, or after so many seconds."""
        try:
            async with asyncio.timeout(patience):
                while self._progress is not None and self._progress.step <= seen:
                    await self._changed.wait()
        except TimeoutError:
            pass
        return self._progress

    async def close(self) -> None:
        """Stop with the session; what was granted goes on with the next one."""
        if self._progress is not None and self._progress.state in (LinkState.WAITING, LinkState.COMPARING):
            await self.cancel()
        elif self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._close(None)

    # --- what happens

    async def _link(self, meeting: Meeting) -> None:
        try:
            hello = await self._met(meeting)
            await self._agreed()
            identity = await self._granted(meeting, hello)
            await self._added(meeting, identity)
        except ClientError as error:
            if self._progress is not None and self._progress.state in (LinkState.WAITING, LinkState.COMPARING):
                await meeting.end(str(error)[:NAME_LIMIT])  # later ends have been told, or are none for the new device
            await self._close(error)

    async def _met(self, meeting: Meeting) -> Hello:
        hello = await meeting.heard(Hello)
        self._next(
            LinkState.COMPARING,
            name=safe_name(hello.name).text or UNNAMED,
            key=_spki_hash(hello.key)[:32],
            comparison=meeting.comparison,
        )
        return hello

    async def _agreed(self) -> None:
        assert self._answered is not None, "made with the linking"
        try:
            agreed = await asyncio.wait_for(self._answered, MAILBOX_LIFETIME)
        except TimeoutError:
            raise LinkError("nobody compared the digits in time", code="link-expired") from None
        if not agreed:
            raise LinkError(REFUSED, code="link-refused", hint="To begin again with a new code: ringtrue devices add")

    async def _granted(self, meeting: Meeting, hello: Hello) -> bytes:
        """Let the new device have the number; returns its identity once it is ready.

        A grant is taken back if the new device cannot have it, or says that it goes no further. If it says nothing, it
        may come yet: then the rest is done by itself.
        """
        grant = await self._run(self._grant, await self._token(hello))
        name = safe_name(hello.name).text
        identity = await self._run(self._steps.siblings.grant, _spki_hash(hello.key), name, self._now())
        self._next(LinkState.GRANTING)
        try:
            await meeting.say(grant)
            await meeting.heard(Ready)
        except LinkError as error:
            if error.code in ("link-ended", "link-slot-taken"):
                await self._devices.take_back(identity)
                raise
            self._devices.soon()
            raise LinkError(_NOT_READY, code="link-unfinished", hint=_NOT_READY_HINT) from error
        return identity

    async def _added(self, meeting: Meeting, identity: bytes) -> None:
        await self._run(self._steps.siblings.ready, identity, self._now())
        self._next(LinkState.ADDING)
        await self._devices.extend()
        chats, left_out = await self._run(self._outcome, identity)
        await meeting.say(Done(chats[:CHATS_LIMIT], len(left_out)))
        self._next(LinkState.DONE, chats=len(chats), left_out=left_out)
        await meeting.aclose()

    # --- parts

    async def _token(self, hello: Hello) -> str:
        account = self._steps.groups.account
        wanted = Wanted(account.number, hello.account, JWK.of(_public_key(hello.key)).thumbprint)
        async with EnrolmentClient(
            account.authority, clock=self._clock, transport=self._transport, acme=account.acme
        ) as authority:
            return await authority.token(account.key, account.chain, wanted)

    def _grant(self, token: str) -> Grant:
        account, siblings = self._steps.groups.account, self._steps.siblings
        contacts = self._steps.groups.contacts.all()[:CONTACTS_LIMIT]
        return Grant(
            number=account.number.e164,
            authority=account.authority,
            directory="" if account.acme is None else account.acme.directory,
            token_authority="" if account.acme is None else account.acme.token_authority,
            accepts_terms=account.acme is not None and account.acme.accepts_terms,
            delivery=account.delivery,
            anchors=b"".join(root.public_bytes(Encoding.PEM) for root in load_trust(self._steps.store).roots),
            token=token,
            siblings=[key.key for key in siblings.known()][:KEYS_LIMIT],
            contacts=[KnownPerson(each.number.e164, each.name, each.accepted, each.blocked) for each in contacts],
            chats=len(siblings.open_chats()),
        )

    def _outcome(self, identity: bytes) -> tuple[list[AddedChat], tuple[tuple[str, str], ...]]:
        chats = self._steps.siblings.chats_of(identity)
        missing = [each for each in self._steps.siblings.missing() if each.identity == identity]
        left_out = tuple((self._steps.chats.known(each.group_id).name, each.why or _LATER) for each in missing)
        return [AddedChat(chat.group_id, chat.name, chat.timer) for chat in chats], left_out

    async def _withdraw(self, key: str) -> None:
        for each in await self._run(self._steps.siblings.granted):
            if each.identity.decode("ascii").endswith(f"/{key}"):
                await self._devices.take_back(each.identity)

    def _own_point(self) -> bytes:
        return public_point(self._steps.groups.account.key.public_key())

    # --- showing

    def _next(self, state: LinkState, **known: Any) -> None:
        assert self._progress is not None, "a linking is going on"
        assert self._meeting is not None, "likewise"
        seen = {"step": self._progress.step + 1, "ends_at": self._meeting.ends_at, "trouble": "", **known}
        self._show(replace(self._progress, state=state, **seen))

    def _troubled(self, words: str) -> None:
        if self._progress is not None and self._meeting is not None and words != self._progress.trouble:
            self._next(self._progress.state, trouble=words)

    def _show(self, progress: LinkProgress) -> None:
        self._progress = progress
        self._changed.set()
        self._changed = asyncio.Event()

    async def _close(self, error: ClientError | None) -> None:
        if self._meeting is not None:
            if error is not None and self._progress is not None:
                self._next(LinkState.ENDED, error=error)
            await self._meeting.aclose()
            self._meeting = None
        self._task = None

    def _now(self) -> int:
        return int(self._clock())


_LATER = "it is tried again by itself"
_NOT_READY = "the new device was granted the number, and has not said that it is ready"
_NOT_READY_HINT = (
    "Look at it: it says how far it came. It comes into your chats by itself when it is ready; if it is not to, remove "
    "it: ringtrue devices remove KEY"
)


def _public_key(point: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise LinkError("the new device has no proper key", code="link-version") from error


def _spki_hash(point: bytes) -> str:
    return spki_hash(public_point(_public_key(point)))
