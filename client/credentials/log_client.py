"""A log as a client reads it: every entry in order, so that the log learns nothing of whom the reader is about."""

from base64 import b64encode
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from client.errors import NotFoundError, UnexpectedAnswerError
from client.services.answers import from_json
from client.services.problems import refusal
from client.services.service import Call, Service
from identity.authority.log.wire import PREFIX, Consistency, Entries, Head, LoggedEntry, Logs, Proof

Shape = TypeVar("Shape", bound=msgspec.Struct)

PAGE = 64  # entries that are asked for at once; usual ones take 4,000 octets each
ANSWER_LIMIT = 8 * 1024 * 1024  # octets


class LogClient:
    """One log, at its base URL. Methods raise UnreachableError, UnexpectedAnswerError or a ServiceError."""

    def __init__(self, base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._service = Service(base_url, ANSWER_LIMIT, transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._service.aclose()

    async def logs(self) -> Logs:
        """The logs that an authority names, where this is an authority; none if it has no such address."""
        answer = await self._service.answer(Call("GET", "/v1/logs"))
        if answer.status == httpx.codes.NOT_FOUND:
            return Logs([])
        if answer.status != httpx.codes.OK:
            raise refusal(answer.status, answer.body)
        return from_json(answer.body, Logs)

    async def head(self) -> Head:
        """The head that the log signs now."""
        return await self._get(f"{PREFIX}/get-sth", Head)

    async def consistency(self, first: int, second: int) -> list[bytes]:
        """The proof that a tree goes on from an earlier one."""
        path = f"{PREFIX}/get-sth-consistency?first={first}&second={second}"
        return (await self._get(path, Consistency)).consistency

    async def proof(self, leaf_hash: bytes, size: int) -> Proof | None:
        """Where an own entry is; None if the log says that it is not there."""
        named = quote(b64encode(leaf_hash).decode("ascii"), safe="")
        try:
            return await self._get(f"{PREFIX}/get-proof-by-hash?hash={named}&tree_size={size}", Proof)
        except NotFoundError:
            return None

    async def entries(self, start: int, end: int) -> list[LoggedEntry]:
        """Entries from `start` on, before `end`: at least one, perhaps fewer than there are."""
        last = min(start + PAGE, end) - 1
        found = (await self._get(f"{PREFIX}/get-entries?start={start}&end={last}", Entries)).entries
        if not 0 < len(found) <= last + 1 - start:
            raise UnexpectedAnswerError("the log answers with other entries than it was asked for")
        return found

    async def _get(self, path: str, shape: type[Shape]) -> Shape:
        return from_json(await self._service.send(Call("GET", path)), shape)
