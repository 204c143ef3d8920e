"""The meeting place at the authority, as a device uses it: boxes are left and fetched until the code ends."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

import httpx

from client.credentials.link_channel import LinkChannel
from client.credentials.link_messages import Ended, M, Message, decode, encode
from client.errors import ClientError, LinkError, RateLimitedError, ServiceError, UnreachableError
from client.services.service import Call, Service, backoff
from identity.authority.links.wire import BOX_LIMIT, BOX_TYPE, MAILBOX_LIFETIME, WAIT_LIMIT

_UNKNOWN = "there is no such code: each is good for ten minutes and for one device"
_UNKNOWN_HINT = (
    "Compare the code, and the authority's address, with what the other device shows; or have it show a new code: "
    "ringtrue devices add"
)
_USED = {
    "link-slot-taken": "this code is used already, or was cancelled on the other device",
    "link-closed": "this code is used up, or was cancelled on the other device",
}
_USED_HINT = (
    "If nobody has cancelled it, somebody else may have seen the code: say no on the device that has the number, and "
    "begin again there where nobody looks on: ringtrue devices add"
)
_EXPIRED_HINT = "Begin again on the device that has the number, and be done within ten minutes: ringtrue devices add"


class Meeting:
    """The side of the device whose boxes lie in `slot`. Every call raises LinkError if it cannot go on.

    `troubled` hears why nothing goes on while the network is away, and "" when it goes on.
    """

    def __init__(
        self,
        authority: str,
        channel: LinkChannel,
        slot: str,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None = None,
        troubled: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._troubled = troubled
        self._service = Service(authority, BOX_LIMIT, transport)
        self._channel = channel
        self._slot = slot
        self._clock = clock
        self._ends_at = clock() + MAILBOX_LIFETIME

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()

    @property
    def ends_at(self) -> int:
        """When the present step must be done."""
        return int(self._ends_at)

    @property
    def comparison(self) -> str:
        """Digits to compare, once both keys are known to both."""
        return self._channel.comparison

    @property
    def is_own_turn(self) -> bool:
        """Whether the present step is this device's."""
        return self._channel.slot == self._slot

    async def say(self, message: Message, *, patient: bool = True) -> None:
        """Leave the present step's box; the service takes the same box again, and no other.

        Without patience, or network, it raises UnreachableError.
        """
        path = self._path()
        box = self._channel.seal(encode(message))
        await self._sent(Call("PUT", path, box, {"content-type": BOX_TYPE}), patient)
        self._ends_at = self._clock() + MAILBOX_LIFETIME

    async def heard(self, expected: type[M], *, wait: bool = True) -> M:
        """Fetch the present step's box and open it; without `wait` it must be there, and so must the network."""
        seconds = WAIT_LIMIT if wait else 0
        call = Call("POST", self._path(), params={"wait": seconds}, repeatable=False, wait=seconds)
        while not (box := await self._sent(call, wait)):
            if not wait:
                raise LinkError(_UNKNOWN, code="link-unknown", hint=_UNKNOWN_HINT)
            self._check_time()
        return decode(self._channel.open(box), expected)

    async def end(self, why: str) -> None:
        """Tell the other device that this one goes no further, as far as that can be told; it also ends by itself."""
        try:
            if self.is_own_turn:
                path, box = self._path(), self._channel.seal(encode(Ended(why)))
                await self._service.send(Call("PUT", path, box, {"content-type": BOX_TYPE}))
            else:
                await self._service.send(Call("DELETE", f"/v1/links/{self._channel.mailbox}"))
        except (UnreachableError, ServiceError):
            return

    def _path(self) -> str:
        return f"/v1/links/{self._channel.mailbox}/{self._channel.slot}"

    async def _sent(self, call: Call, patient: bool) -> bytes:
        """Send; with patience again while the network is away, until the code ends."""
        failures = 0
        while True:
            try:
                answer = await self._service.send(call)
                if failures:
                    self._troubled("")
                return answer
            except (UnreachableError, RateLimitedError) as error:
                if not patient:
                    raise
                self._check_time(error)
                failures += 1
                self._troubled(f"{error}; it is tried again")
                await asyncio.sleep(error.retry_after if isinstance(error, RateLimitedError) else backoff(failures))
            except ServiceError as error:
                if error.code in _USED:
                    raise LinkError(_USED[error.code], code=error.code, hint=_USED_HINT) from error
                raise

    def _check_time(self, error: ClientError | None = None) -> None:
        if self._clock() >= self._ends_at:
            why = "the other device has not answered in time" if error is None else f"{error}, until the code had ended"
            raise LinkError(why, code="link-expired", hint=_EXPIRED_HINT) from error
