"""The delivery service's client: one short method for each address of delivery_service.wire.

Every method raises UnreachableError, UnexpectedAnswerError or a ServiceError; a session is opened when one is needed.
"""

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from itertools import pairwise
from types import TracebackType
from typing import Self

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from client.errors import ClientError, UnexpectedAnswerError
from client.services.answers import from_json, from_msgpack
from client.services.blobs import BlobService
from client.services.device_session import DeviceSession, Opening
from client.services.following import follow
from client.services.service import HOST, Call, Service
from delivery_service.wire import (
    BATCH_OCTETS,
    IDEMPOTENCY_HEADER,
    JSON_TYPE,
    MLS_TYPE,
    MSGPACK_TYPE,
    WELCOME_LIMIT,
    Appended,
    ClaimedKeyPackages,
    CommitBundle,
    ContactGrant,
    ContactMode,
    ContactRequest,
    ContactRequested,
    ContactRequests,
    Decision,
    EntryBatch,
    GroupHeads,
    InboxAck,
    KeyPackageClaim,
    KeyPackageReferences,
    KeyPackageStock,
    KeyPackageUpload,
    Mode,
    Openings,
    Reachability,
    SessionGranted,
    Status,
    WelcomeBatch,
)
from delivery_service.wire import Opening as SessionOpening
from delivery_service.wire.ending import DataDeleted, DataDeletion, Ended, Ending
from delivery_service.wire.rollback import Rejection, RejectionCounted
from identity.base64url import encode_base64url
from identity.errors import FrankingError
from identity.number import TelephoneNumber
from identity.reports.franking import HubKey

HOST_LIMIT = 255  # characters of the name that stands in group URIs
MODE = "/v1/contact-mode"
CONTACT_REQUESTS = "/v1/contact-requests"
LARGEST = 2**63 - 1  # what the store can keep of a number that the service chooses
ANSWER_LIMIT = BATCH_OCTETS + WELCOME_LIMIT + 1024 * 1024  # octets: a batch ends after the item that reaches its size


async def look_at_delivery(base_url: str, transport: httpx.AsyncBaseTransport | None = None) -> Status:
    """What a service says of itself to anybody, with an account or without one."""
    service = Service(base_url, ANSWER_LIMIT, transport)
    try:
        return await _status(service)
    finally:
        await service.aclose()


async def _status(service: Service) -> Status:
    status = from_json(await service.send(Call("GET", "/v1/status")), Status)
    if not HOST.fullmatch(status.host) or len(status.host) > HOST_LIMIT:
        raise UnexpectedAnswerError(f"the service's name {status.host[:HOST_LIMIT]!a} is not that of a host")
    try:
        HubKey.from_point(status.franking_key)
    except FrankingError as error:
        raise UnexpectedAnswerError(f"the service shows no franking key: {error}") from error
    return status


class DeliveryClient:
    """One device at one delivery service; `chain` is DER, leaf first, without the root."""

    def __init__(
        self,
        base_url: str,
        key: ec.EllipticCurvePrivateKey,
        chain: Sequence[bytes],
        *,
        clock: Callable[[], float] = time.time,
        transport: httpx.AsyncBaseTransport | None = None,
        opening: Opening | None = None,
    ) -> None:
        self._service = Service(base_url, ANSWER_LIMIT, transport)
        self._session = DeviceSession(self._service, key, chain, clock, opening)
        self.blobs = BlobService(lambda: self._session, self._service.base_url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._service.aclose()

    def use_chain(self, chain: Sequence[bytes]) -> None:
        """Go on with a renewed certificate for the same key; the next request opens a new session."""
        self._session = self._session.with_chain(chain)

    async def open_session(self) -> SessionGranted:
        """Open a session now, for instance to learn the device's name at the service."""
        return await self._session.open()

    async def status(self) -> Status:
        """The service's host name for group URIs and its clock; needs no session."""
        return await _status(self._service)

    async def upload_key_packages(self, upload: KeyPackageUpload) -> KeyPackageStock:
        """Add one-time key packages, and replace the last-resort one if there is one in `upload`."""
        call = Call("PUT", "/v1/key-packages", msgspec.json.encode(upload), _type(JSON_TYPE))
        return from_json(await self._session.send(call), KeyPackageStock)

    async def key_package_stock(self) -> KeyPackageStock:
        """How many key packages remain."""
        return from_json(await self._session.send(Call("GET", "/v1/key-packages")), KeyPackageStock)

    async def key_package_references(self) -> list[bytes]:
        """The KeyPackageRefs of everything that others can claim of this device."""
        call = Call("GET", "/v1/key-packages/references")
        return from_json(await self._session.send(call), KeyPackageReferences).references

    async def openings(self) -> list[SessionOpening]:
        """The last sessions that were opened with this device's key, in order."""
        found = from_json(await self._session.send(Call("GET", "/v1/openings")), Openings).openings
        _check_order([0, *(each.number for each in found)], found[-1].number if found else 0)
        _check_range([number for each in found for number in (each.number, each.at)])
        return found

    async def claim_key_packages(self, number: TelephoneNumber) -> list[bytes]:
        """Take one key package of each device of a number: MLSMessage octets, not yet validated.

        Never repeated by itself once it may have reached the service: a claim uses key packages up.
        """
        body = msgspec.json.encode(KeyPackageClaim(number.e164))
        call = Call("POST", "/v1/key-packages/claims", body, _type(JSON_TYPE), repeatable=False)
        return from_json(await self._session.send_signed(call), ClaimedKeyPackages).key_packages

    async def set_contact_mode(self, mode: Mode, granted: Sequence[str]) -> Reachability:
        """Choose how this number may be reached, and grant numbers (`+E164`) in the same request."""
        body = msgspec.json.encode(ContactMode(mode, list(granted)))
        return from_json(await self._session.send(Call("PUT", MODE, body, _type(JSON_TYPE))), Reachability)

    async def reachability(self) -> Reachability:
        """How this number may be reached, and whom it has granted or blocked."""
        return from_json(await self._session.send(Call("GET", MODE)), Reachability)

    async def ask(self, number: TelephoneNumber, chain: Sequence[bytes]) -> ContactRequested:
        """Ask a number to let this one reach it; `chain` is this device's, which the number verifies itself.

        Raises NoConsentError where nobody may ask, AlreadyAskedError, and RateLimitedError beyond a quota.
        """
        body = msgspec.json.encode(ContactRequest(number.e164, list(chain)))
        call = Call("POST", CONTACT_REQUESTS, body, _type(JSON_TYPE), repeatable=False)
        return from_json(await self._session.send_signed(call), ContactRequested)

    async def contact_requests(self) -> ContactRequests:
        """Who asks this number, not yet verified, and which numbers granted a request of its own."""
        answer = from_json(await self._session.send(Call("GET", CONTACT_REQUESTS)), ContactRequests)
        _check_range([answer.head, *(asked.at for asked in answer.asked)])
        return answer

    async def decide(self, number: str, decision: Decision) -> None:
        """Grant, refuse, revoke or block a number (`+E164`)."""
        body = msgspec.json.encode(ContactGrant(number, decision))
        await self._session.send(Call("PUT", "/v1/contact-grants", body, _type(JSON_TYPE)))

    async def create_group(self, group_id: bytes, group_info: bytes, idempotency_key: str) -> Appended:
        """Open a group's log with the GroupInfo of epoch 0; `group_id` stands inside it."""
        return await self._append("/v1/groups", MLS_TYPE, group_info, idempotency_key)

    async def append(self, group_id: bytes, message: bytes, idempotency_key: str) -> Appended:
        """Add an application message or a proposal of the current epoch. Raises StaleEpochError if it is not."""
        return await self._append(f"{_group(group_id)}/entries", MLS_TYPE, message, idempotency_key)

    async def commit(self, group_id: bytes, bundle: CommitBundle, idempotency_key: str) -> Appended:
        """Add a commit with its Welcomes. Raises StaleEpochError if another one was first."""
        body = msgspec.msgpack.encode(bundle)
        return await self._append(f"{_group(group_id)}/commits", MSGPACK_TYPE, body, idempotency_key)

    async def reject(self, group_id: bytes, rejection: Rejection) -> RejectionCounted:
        """Report a commit that this device cannot apply; a repeat counts once.

        Raises ServiceError with the code `settled` if it stands, `unknown-commit` if there is no such commit.
        """
        call = Call("POST", f"{_group(group_id)}/rejections", msgspec.json.encode(rejection), _type(JSON_TYPE))
        return from_json(await self._session.send(call), RejectionCounted)

    async def end_group(self, group_id: bytes, ending: Ending) -> Ended:
        """Put a successor in a group's place, or have it deleted. Raises ServiceError `group-ended` if it has ended."""
        call = Call("POST", f"{_group(group_id)}/endings", msgspec.json.encode(ending), _type(JSON_TYPE))
        return from_json(await self._session.send(call), Ended)

    async def delete_data(self, deletion: DataDeletion) -> DataDeleted:
        """Delete what the service keeps for this device or its number."""
        call = Call("POST", "/v1/data-deletions", msgspec.json.encode(deletion), _type(JSON_TYPE))
        return from_json(await self._session.send(call), DataDeleted)

    async def entries(self, group_id: bytes, after: int, wait: int = 0) -> EntryBatch:
        """The entries after a cursor, waiting up to `wait` seconds for one. Raises GoneError below the retention.

        Their order is the service's: client.defence.lies.look puts them in order and says what was wrong.
        """
        call = Call("GET", f"{_group(group_id)}/entries", params={"after": after, "wait": wait}, wait=wait)
        batch = from_msgpack(await self._session.send(call), EntryBatch)
        _check_range([batch.settled, *(number for entry in batch.entries for number in (entry.seq, entry.at_ms))])
        if batch.more and not batch.entries:
            raise UnexpectedAnswerError("the service says that there are more entries and hands out none")
        return batch

    async def heads(self) -> GroupHeads:
        """The last sequence number of every group of this device, and of its inbox."""
        return from_json(await self._session.send(Call("GET", "/v1/groups")), GroupHeads)

    async def inbox(self, after: int, wait: int = 0) -> WelcomeBatch:
        """The Welcomes after a cursor, waiting up to `wait` seconds for one."""
        call = Call("GET", "/v1/inbox", params={"after": after, "wait": wait}, wait=wait)
        batch = from_msgpack(await self._session.send(call), WelcomeBatch)
        _check_order([after, *(item.position for item in batch.items)], batch.head)
        _check_range([number for item in batch.items for number in (item.position, item.seq, item.at_ms)])
        return batch

    async def ack_inbox(self, position: int) -> None:
        """Let the service delete all Welcomes up to a position: they are stored here."""
        await self._session.send(
            Call("POST", "/v1/inbox/ack", msgspec.json.encode(InboxAck(position)), _type(JSON_TYPE))
        )

    def follow(self, interrupted: Callable[[ClientError], None] = lambda _: None) -> AsyncGenerator[GroupHeads]:
        """All heads, then those that change, for ever and over lost connections; close it with `aclosing`.

        After a lost connection all heads come again. Raises only refusals that a repeat does not cure.
        """
        return follow(self._session, interrupted)

    async def _append(self, path: str, media_type: str, body: bytes, idempotency_key: str) -> Appended:
        headers = {**_type(media_type), IDEMPOTENCY_HEADER: idempotency_key}
        return from_json(await self._session.send(Call("POST", path, body, headers)), Appended)


def _group(group_id: bytes) -> str:
    return f"/v1/groups/{encode_base64url(group_id).decode()}"


def _type(media_type: str) -> Mapping[str, str]:
    return {"content-type": media_type}


def _check_order(numbers: Sequence[int], head: int) -> None:
    # The service orders, but it is not trusted: what comes twice or backwards must not be read twice.
    if any(later <= earlier for earlier, later in pairwise(numbers)) or (len(numbers) > 1 and numbers[-1] > head):
        raise UnexpectedAnswerError("the service handed out a list that is not in order after the cursor")


def _check_range(numbers: Sequence[int]) -> None:
    if any(not 0 <= number <= LARGEST for number in numbers):
        raise UnexpectedAnswerError("the service states a place or a time that cannot be")
