"""Asking a delivery service as one process of a history: every call is written down with its times and its answer."""

import asyncio

import msgspec

from delivery_service.wire import (
    JSON_TYPE,
    MLS_TYPE,
    MSGPACK_TYPE,
    PROBLEM_PREFIX,
    Appended,
    ClaimedKeyPackages,
    EntryBatch,
    EntryKind,
    KeyPackageClaim,
    KeyPackageUpload,
    WelcomeBatch,
)
from identity.base64url import encode_base64url
from lab.histories.devices import Device, RefusedSessionError
from lab.histories.history import (
    Acked,
    Append,
    Batch,
    Claim,
    Claimed,
    Done,
    LoggedEntry,
    Publish,
    Read,
    Recorder,
    Refused,
    Stale,
    digest_of,
    now,
)
from lab.histories.line import Answer, Line, LostAnswerError

SERVER_ERROR = 500  # and above: nobody can tell what was done
PAUSE = 0.05  # seconds before what was refused for the moment is asked again


class Asker:
    """One process: a device, a connection, and the history that it writes to. It asks one thing at a time."""

    def __init__(self, name: str, device: Device, line: Line, recorder: Recorder) -> None:
        self.name = name
        self.device = device
        self._line = line
        self._recorder = recorder

    async def append(
        self, group: bytes, epoch: int, kind: EntryKind, body: bytes, key: str, *, carried: bytes | None = None
    ) -> Acked | Stale | Refused | None:
        """Append; for a commit `carried` is the bundle around it. None: there was no answer."""
        what, media_type = ("commits", MSGPACK_TYPE) if carried is not None else ("entries", MLS_TYPE)
        await self._ready()
        request = self.device.request("POST", f"{_path(group)}/{what}", carried or body, media_type, key=key)
        invoked = now()
        answer = await self._ask(request)
        read = None if answer is None else _appended(answer)
        self._recorder.record(
            Append(
                process=self.name,
                invoked=invoked,
                returned=None if read is None else now(),
                group=group.hex(),
                epoch=epoch,
                kind=kind,
                key=key,
                digest=digest_of(body),
                answer=read,
            )
        )
        return read

    async def read(self, group: bytes, after: int) -> EntryBatch | None:
        """One batch of the log; None: there was no answer, or a refusal."""
        await self._ready()
        invoked = now()
        answer = await self._ask(self.device.request("GET", f"{_path(group)}/entries?after={after}"))
        if answer is None:
            outcome: Batch | Refused | None = None
        elif answer.status == 200:
            batch = msgspec.msgpack.decode(answer.body, type=EntryBatch)
            outcome = Batch(logged(batch), batch.head, batch.more)
        else:
            outcome = Refused(_problem(answer).word)
        returned = None if outcome is None else now()
        self._recorder.record(
            Read(
                process=self.name,
                invoked=invoked,
                returned=returned,
                group=group.hex(),
                after=after,
                answer=outcome,
            )
        )
        return batch if isinstance(outcome, Batch) else None

    async def publish(self, packages: list[bytes], last_resort: bytes | None = None) -> Done | Refused | None:
        """Add to the device's stock of key packages."""
        await self._ready()
        body = msgspec.json.encode(KeyPackageUpload(packages, last_resort))
        invoked = now()
        answer = await self._ask(self.device.request("PUT", "/v1/key-packages", body))
        outcome = None if answer is None else Done() if answer.status == 200 else Refused(_problem(answer).word)
        self._recorder.record(
            Publish(
                process=self.name,
                invoked=invoked,
                returned=None if outcome is None else now(),
                packages=[digest_of(package) for package in packages],
                last_resort=None if last_resort is None else digest_of(last_resort),
                answer=outcome,
            )
        )
        return outcome

    async def claim(self, number: str) -> list[bytes] | None:
        """One key package of each other device of a number; None: there was no answer, or a refusal."""
        await self._ready()
        body = msgspec.json.encode(KeyPackageClaim(number))
        request = self.device.request("POST", "/v1/key-packages/claims", body, signed=True)
        invoked = now()
        answer = await self._ask(request)
        packages: list[bytes] | None = None
        outcome: Claimed | Refused | None = None
        if answer is not None and answer.status == 200:
            packages = msgspec.json.decode(answer.body, type=ClaimedKeyPackages).key_packages
            outcome = Claimed([digest_of(package) for package in packages])
        elif answer is not None:
            outcome = Refused(_problem(answer).word)
        returned = None if outcome is None else now()
        self._recorder.record(
            Claim(process=self.name, invoked=invoked, returned=returned, number=number, answer=outcome)
        )
        return packages

    async def found(self, group_info: bytes, key: str) -> Answer:
        """Open a group's log; not written down: nothing else can happen before."""
        return await self._insist("POST", "/v1/groups", group_info, MLS_TYPE, key)

    async def inbox(self) -> WelcomeBatch:
        """The Welcomes that wait for the device; not written down."""
        answer = await self._insist("GET", "/v1/inbox?after=0", b"", JSON_TYPE)
        return msgspec.msgpack.decode(answer.body, type=WelcomeBatch)

    async def _insist(self, method: str, path: str, body: bytes, kind: str, key: str = "") -> Answer:
        while True:
            await self._ready()
            answer = await self._ask(self.device.request(method, path, body, kind, key=key))
            if answer is not None and answer.status < 300:
                return answer
            await asyncio.sleep(PAUSE)

    async def _ready(self) -> None:
        """Be connected and have a session, before the call begins that counts."""
        while True:
            await self._line.connect()
            if self.device.token:
                return
            try:
                await self.device.renew(self._line, "")
            except (LostAnswerError, RefusedSessionError):
                await asyncio.sleep(PAUSE)

    async def _ask(self, request: bytes) -> Answer | None:
        token = self.device.token
        try:
            answer = await self._line.ask(request)
        except LostAnswerError:
            return None
        if answer.status == 401 and self.device.token == token:
            self.device.token = ""  # it was another process that had opened the session
        return answer if answer.status < SERVER_ERROR else None


class _Problem(msgspec.Struct):
    type: str
    epoch: int | None = None
    head: int | None = None

    @property
    def word(self) -> str:
        return self.type.removeprefix(PROBLEM_PREFIX)


def _problem(answer: Answer) -> _Problem:
    return msgspec.json.decode(answer.body, type=_Problem)


def _appended(answer: Answer) -> Acked | Stale | Refused:
    if answer.status == 201:
        appended = msgspec.json.decode(answer.body, type=Appended)
        return Acked(appended.seq, appended.epoch)
    problem = _problem(answer)
    if problem.word == "stale-epoch" and problem.epoch is not None and problem.head is not None:
        return Stale(problem.epoch, problem.head)
    return Refused(problem.word)


def logged(batch: EntryBatch) -> list[LoggedEntry]:
    """A batch as a history keeps it."""
    return [
        LoggedEntry(each.seq, each.epoch, each.kind, each.idempotency_key, digest_of(each.body))
        for each in batch.entries
    ]


def _path(group: bytes) -> str:
    return f"/v1/groups/{encode_base64url(group).decode()}"
