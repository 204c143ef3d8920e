"""The exchange with the delivery service: read logs and the inbox, post requests and messages, one group at a time.

What is posted was stored before, and is posted again with the same idempotency key until the service has answered.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from functools import partial

import mls_rs
import msgspec

from client.credentials.account import inbox_cursor
from client.credentials.renewal import CredentialDueError
from client.defence.lies import look
from client.defence.lookout import LookAgainError
from client.errors import (
    ClientError,
    CredentialRefusedError,
    GoneError,
    NotAMemberError,
    RateLimitedError,
    ServiceError,
    SessionExpiredError,
    StaleEpochError,
    UnexpectedAnswerError,
)
from client.events import Event, Trouble
from client.records.intents import CreateGroup, Intent, Leave
from client.records.outbox import Outgoing
from client.services.delivery import DeliveryClient
from client.steps.wired import Steps
from client.words.rollback_words import STANDS
from client.worker import Worker
from delivery_service.wire import CommitBundle, GroupHeads
from identity.base64url import decode_base64url

FRUITLESS_LIMIT = 3  # refusals for a stale epoch in a row although the log showed no newer epoch
HOLE_PAUSE = 60  # seconds between two requests for the same missing entries
ABOUT_THE_SESSION = (RateLimitedError, SessionExpiredError, CredentialRefusedError)  # not about what was posted


class Exchange:
    """Brings groups and the service into agreement; `tell` receives every event once the store has it.

    `jitter`: seconds within which this device waits before it commits what others proposed, so that not all do at once.
    """

    def __init__(
        self,
        steps: Steps,
        delivery: DeliveryClient,
        worker: Worker,
        *,
        clock: Callable[[], float],
        jitter: float,
        tell: Callable[[Iterable[Event]], None],
    ) -> None:
        self._steps = steps
        self._delivery = delivery
        self._run = worker.run
        self._clock = clock
        self._jitter = jitter
        self._tell = tell
        self._inbox = asyncio.Lock()
        self._acknowledged = 0
        self._looked_at: set[bytes] = set()
        self._asked: dict[tuple[bytes, int], int] = {}  # when it was last asked for the entries missing at a place
        self._locks: defaultdict[bytes, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def sync(self, heads: GroupHeads, asked: int | None = None) -> list[Trouble]:
        """Read what the heads say is new, then post what waits. A group's trouble does not keep the others from it.

        `asked`: when the heads were asked for; unknown for those that a stream has brought.
        """
        await self._run(self._steps.rollbacks.expire, self._now())
        groups = await self.read_inbox(heads.inbox)
        cursors = {chat.group_id: chat.cursor for chat in await self._run(self._steps.chats.all)}
        named = {_group_id(name): head for name, head in heads.groups.items()}
        # A head before the cursor may only be an old piece of news; reading shows whether the service insists.
        groups += [group for group, head in named.items() if cursors.get(group, head) != head]
        if asked is not None:
            groups += [group for group in cursors if group not in named and await self._is_missed(group)]
            quiet = [group for group, head in named.items() if cursors.get(group) == head]
            await self._run(self._steps.lookout.all_quiet, quiet, asked)
        troubles = [trouble for group in groups if (trouble := await self._attempt(group, self.read(group)))]
        return troubles + await self.post()

    async def _is_missed(self, group_id: bytes) -> bool:
        """Whether the service names no head of a group that this device is in: it was taken out long ago, or hidden."""
        chat = await self._run(self._steps.chats.known, group_id)
        return chat.standing.is_member and await self._run(self._steps.committer.is_published, group_id)

    async def post(self) -> list[Trouble]:
        """Post what waits in any group."""
        pending = await self._run(
            lambda: {
                *self._steps.intents.groups(),
                *self._steps.outbox.groups(),
                *self._steps.rollbacks.waiting(),
            }
        )
        return [trouble for group in pending if (trouble := await self._attempt(group, self.drive(group)))]

    async def read_inbox(self, head: int) -> list[bytes]:
        """Join the chats that Welcomes invite to, up to the inbox's head; returns their group ids."""
        async with self._inbox:
            return await self._read_inbox(head)

    async def _read_inbox(self, head: int) -> list[bytes]:
        groups: list[bytes] = []
        cursor = await self._run(inbox_cursor, self._steps.store)
        while cursor < head:
            batch = await self._delivery.inbox(cursor)
            if not batch.items:
                break
            for item in batch.items:
                chat = await self._run(self._steps.chats.get, item.group_id)
                if chat is not None and chat.standing.is_member and chat.cursor < item.seq:
                    # Who was removed and added again learns of the removal first, or the second invitation is refused.
                    await self._attempt(item.group_id, self.read(item.group_id))
                self._tell(await self._run(self._steps.joiner.join, item, self._now()))
                groups.append(item.group_id)
            cursor = batch.items[-1].position
        if cursor > self._acknowledged:  # also after a crash between storing and acknowledging
            await self._delivery.ack_inbox(cursor)
            self._acknowledged = cursor
        return groups

    async def read(self, group_id: bytes) -> None:
        """Deal with every entry of a group's log that was not dealt with."""
        async with self._locks[group_id]:
            await self._read(group_id)

    async def drive(self, group_id: bytes) -> None:
        """Carry out a group's intents, send its messages, and read what the service made of them.

        Raises UnreachableError and other errors that a later attempt may cure; refusals become events.
        """
        async with self._locks[group_id]:
            known = group_id in self._looked_at and not await self._run(self._steps.rollbacks.may_go_back, group_id)
            if not known and await self._run(self._steps.committer.is_published, group_id):
                # A store restored from an old copy would use message keys again; the log shows that it is old. And what
                # was encrypted in an epoch that was taken back would be accepted in the next epoch of that number.
                await self._read(group_id)
            if await self._run(self._steps.committer.others_may_commit, group_id):
                await asyncio.sleep(random.uniform(0, self._jitter))  # noqa: S311 - spreads load, hides nothing
                await self._read(group_id)
            await self._post_all(group_id)
            await self._read(group_id)
            if await self._run(self._steps.outbox.queued, group_id):  # accepted, and not there: sent again at once
                await self._post_all(group_id)
                await self._read(group_id)

    async def _post_all(self, group_id: bytes) -> None:
        fruitless, renewing = 0, True
        while not await self._run(self._steps.rollbacks.is_waiting, group_id):
            try:
                posted = await self._post_next(group_id, renewing=renewing)
            except CredentialDueError:
                await self._run(self._steps.committer.rotate, group_id)
                renewing = False
                continue
            if posted is None:
                return
            if posted and not await self._read(group_id):
                fruitless += 1
                if fruitless == FRUITLESS_LIMIT:
                    raise UnexpectedAnswerError("the service refuses entries as outdated but shows no newer ones")

    async def _post_next(self, group_id: bytes, *, renewing: bool) -> bool | None:
        """Post one request or message: whether the log must be read before the next; None if nothing waits."""
        intent, events = await self._run(self._steps.committer.prepare, group_id, self._now())
        self._tell(events)
        if intent is not None:
            return await self._post_request(intent)
        try:
            outgoing = await self._run(self._steps.sender.prepare, group_id, self._now(), renewing=renewing)
        except mls_rs.CommitRequiredError:
            await self._run(self._steps.committer.commit_proposals, group_id)
            return True
        return None if outgoing is None else await self._post_message(outgoing)

    async def _post_request(self, intent: Intent) -> bool:
        try:
            await self._request(intent)
        except ABOUT_THE_SESSION:
            raise
        except ServiceError as error:
            if isinstance(error, StaleEpochError) and not isinstance(intent.body, CreateGroup):
                await self._run(self._steps.committer.lost, intent)
            else:
                self._tell(await self._run(self._steps.committer.refused, intent, error))
        else:
            self._tell(await self._run(self._steps.committer.accepted, intent))
        return not isinstance(intent.body, CreateGroup)

    async def _request(self, intent: Intent) -> None:
        request, group_id = intent.request, intent.group_id
        assert request is not None, "the committer hands out intents with a request"
        match intent.body:
            case CreateGroup():
                await self._delivery.create_group(group_id, request.octets, request.idempotency_key)
            case Leave():
                await self._delivery.append(group_id, request.octets, request.idempotency_key)
            case _:
                bundle = msgspec.msgpack.decode(request.octets, type=CommitBundle)
                await self._delivery.commit(group_id, bundle, request.idempotency_key)

    async def _post_message(self, outgoing: Outgoing) -> bool:
        assert outgoing.ciphertext is not None, "the sender hands out encrypted messages"
        assert outgoing.idempotency_key is not None, "and their keys"
        try:
            appended = await self._delivery.append(outgoing.group_id, outgoing.ciphertext, outgoing.idempotency_key)
        except StaleEpochError:
            self._tell(await self._run(self._steps.sender.stale, outgoing))
            return True
        except ABOUT_THE_SESSION:
            raise
        except ServiceError as error:
            self._tell(await self._run(self._steps.sender.refused, outgoing, str(error)))
        else:
            self._tell(await self._run(self._steps.sender.accepted, outgoing, appended.seq))
        return False

    async def _read(self, group_id: bytes) -> bool:
        """Read to the log's end; whether the group is in another epoch, or left, since."""
        first = chat = await self._run(self._steps.chats.get, group_id)
        while chat is not None and await self._run(self._steps.rollbacks.follows, chat):
            started = self._now()
            try:
                more = await self._read_on(group_id, chat.cursor, started)
            except (GoneError, NotAMemberError) as error:
                if not chat.standing.is_member:
                    return False
                if isinstance(error, GoneError) and error.epoch == chat.epoch:
                    self._tell(await self._run(self._steps.receiver.restored, group_id, error.floor, started))
                    chat = await self._run(self._steps.chats.get, group_id)
                    continue
                self._tell(await self._run(self._steps.receiver.lose, group_id, str(error), started))
                return True
            before, chat = chat, await self._run(self._steps.chats.get, group_id)
            if not more or (chat is not None and chat.cursor == before.cursor):  # behind what is withheld: not for ever
                self._looked_at.add(group_id)
                break
        return first is None or chat is None or (first.epoch, first.standing) != (chat.epoch, chat.standing)

    async def _read_on(self, group_id: bytes, cursor: int, started: int) -> bool:
        """Deal with one batch, and with what is missing at the log's end; whether there is more.

        What is wrong is asked for once more before it is told: what then is right was a passing trouble.
        """
        try:
            return await self._deal_with(group_id, cursor, started, asked_twice=False)
        except LookAgainError:
            await self._run(self._steps.lookout.asked_again, group_id, started)
        chat = await self._run(self._steps.chats.known, group_id)
        return await self._deal_with(group_id, chat.cursor, started, asked_twice=True)

    async def _deal_with(self, group_id: bytes, cursor: int, started: int, *, asked_twice: bool) -> bool:
        batch = await self._delivery.entries(group_id, cursor)
        looked = look(batch, cursor)
        if looked.lies and not asked_twice:
            raise LookAgainError
        for lie in looked.lies:
            self._tell(await self._run(self._steps.lookout.answered, group_id, lie, cursor, self._now()))
        end = None if batch.more else started
        receive = self._steps.receiver.receive
        told = partial(receive, group_id, looked.entries, self._now(), end, asked_twice=asked_twice)
        self._tell(await self._run(told, settled=batch.settled))
        if batch.more and looked.entries:
            return True
        if await self._report(group_id):
            return True
        await self._look_for_lost(group_id, asked_twice=asked_twice)
        return False

    async def _report(self, group_id: bytes) -> bool:
        """Report a commit that this device cannot apply; whether that changed something which is to be read."""
        rejection = await self._run(self._steps.rollbacks.due, group_id)
        if rejection is None:
            return False
        try:
            counted = await self._delivery.reject(group_id, rejection)
        except ABOUT_THE_SESSION:
            raise
        except ServiceError as error:
            if error.code == "settled":
                self._tell(await self._run(self._steps.receiver.lose, group_id, STANDS, self._now()))
            elif error.code == "unknown-commit":
                await self._run(self._steps.rollbacks.unknown, group_id)
            else:  # the others decide
                await self._run(self._steps.rollbacks.reported, group_id)
            return False
        await self._run(self._steps.rollbacks.reported, group_id)
        return counted.rollback > 0

    async def _look_for_lost(self, group_id: bytes, *, asked_twice: bool) -> None:
        """At the log's end: send again what was accepted and is not there, ask again for what was left out."""
        messages, intents, holes = await self._run(self._steps.unsettled, group_id)
        if (messages or intents) and not asked_twice:
            raise LookAgainError
        for outgoing in messages:
            self._tell(await self._run(self._steps.sender.lost, outgoing, self._now()))
        for intent in intents:
            self._tell(await self._run(self._steps.committer.missing, intent, self._now()))
        self._asked = {place: at for place, at in self._asked.items() if self._now() - at < HOLE_PAUSE}
        for hole in holes:
            if (group_id, hole.first) not in self._asked:
                self._asked[group_id, hole.first] = self._now()
                batch = await self._delivery.entries(group_id, hole.first - 1)
                self._tell(await self._run(self._steps.receiver.late, group_id, hole, batch.entries, self._now()))

    async def _attempt(self, group_id: bytes, work: Coroutine[None, None, None]) -> Trouble | None:
        try:
            await work
        except (ClientError, mls_rs.MlsError) as error:
            trouble = Trouble(group_id, error, error.code, str(error))
            self._tell([trouble])
            return trouble
        return None

    def _now(self) -> int:
        return int(self._clock())


def _group_id(name: str) -> bytes:
    try:
        return decode_base64url(name.encode())
    except ValueError as error:
        raise UnexpectedAnswerError("the service names a group in a way that cannot be read") from error
