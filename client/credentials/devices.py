"""One's own devices: what is known of each, into which chats they come, and how one is removed."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import httpx
import mls_rs

from client.credentials.enrolment import EnrolmentClient
from client.credentials.revocations import DeviceState
from client.credentials.siblings import AGAIN, Missing, Sibling, SiblingState
from client.defence.continuity import DeviceKey, identity_of_key
from client.errors import (
    ChatError,
    ClientError,
    NoKeyPackageError,
    NotFoundError,
    RateLimitedError,
    ServiceError,
    UnreachableError,
)
from client.events import Event, Trouble
from client.exchange import ABOUT_THE_SESSION
from client.records.chats import Chat
from client.records.intents import AddMembers, Body
from client.services.delivery import DeliveryClient
from client.steps.wired import Steps
from client.worker import Worker
from identity.authority.wire import Holding
from identity.certificate_fields import load_certificate, validity

INTERVAL = 3600  # seconds between looks at what could not be done
RETRY = 60  # seconds until what a service did not answer is tried again
PATIENCE = 86_400  # seconds that a device which was granted the number is looked for by itself
CESSATION_OF_OPERATION, KEY_COMPROMISE = 5, 1  # reasons to revoke (RFC 5280 §5.3.1)
AWAY = "it has no key packages at the service: use it once, so that it makes some"
LATER = (UnreachableError, RateLimitedError, NoKeyPackageError, NotFoundError)  # what another time may cure


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """One device of this number. `state` and end are of its newest certificate that is known, None if none is.

    `chats` are the names of those it is in, `left_out` those it is to come into, with what kept it from that.
    `revoking`: it was removed, and the authority has not revoked its certificates yet.
    """

    key: DeviceKey
    name: str
    this: bool
    state: DeviceState | None
    ends_at: int | None
    linked: SiblingState | None
    chats: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    revoking: bool = False


class Devices:
    """Looks after the devices of the account's number. Every call raises ClientError."""

    def __init__(
        self,
        steps: Steps,
        delivery: DeliveryClient,
        worker: Worker,
        *,
        clock: Callable[[], float],
        transport: httpx.AsyncBaseTransport | None,
        change: Callable[[bytes, Sequence[Body]], Awaitable[None]],
        drive: Callable[[bytes], Awaitable[None]],
        tell: Callable[[Iterable[Event]], None],
    ) -> None:
        self._steps = steps
        self._siblings = steps.siblings
        self._delivery = delivery
        self._run = worker.run
        self._clock = clock
        self._transport = transport
        self._change = change
        self._drive = drive
        self._tell = tell
        self._due_at = 0.0

    async def all(self, *, ask: bool) -> list[OwnDevice]:
        """This device first, then the others by when they were met; with `ask`, also what the authority has issued."""
        held = await self.held() if ask else []
        certified = {identity_of_key(self._steps.groups.account.number, each.key) for each in held}
        for late in await self._late():
            if late.identity in certified:
                await self._come(late)
        return await self._run(self._all, held)

    async def held(self) -> list[Holding]:
        """The live certificates of this number."""
        account = self._steps.groups.account
        async with self._authority() as authority:
            return await authority.holdings(account.key, account.chain)

    async def run(self) -> None:
        """Go on with what was begun: add devices to chats; looks once an INTERVAL, sooner after a passing trouble."""
        now = self._clock()
        if self._due_at - INTERVAL <= now < self._due_at:
            return
        self._due_at = now + INTERVAL
        for granted in await self._run(self._siblings.granted, int(now) - PATIENCE):
            if await self._package_of(granted.identity) is not None:
                await self._come(granted)
        for late in await self._late():
            if await self._run(self._siblings.chats_of, late.identity):  # it was in time for one that was begun since
                await self._come(late)
        await self._revoke()
        await self.extend()

    async def _late(self) -> list[Sibling]:
        """The devices that were granted the number and not heard of for so long that no service is asked any more."""
        granted = await self._run(self._siblings.granted)
        return [each for each in granted if each.at < self._now() - PATIENCE]

    async def _come(self, granted: Sibling) -> None:
        await self._run(self._siblings.ready, granted.identity, granted.at)
        self.soon()

    def soon(self) -> None:
        """Let the next look be soon, because there is something new to do."""
        self._due_at = 0.0

    async def extend(self) -> None:
        """Add each device to the chats that it is still to come into; what cannot be done now is done another time."""
        for each in await self._run(self._siblings.due, self._now()):
            try:
                await self._add(each)
            except _AwayError as error:
                await self._run(self._siblings.refused, each, str(error), self._now() - AGAIN + INTERVAL)
            except (UnreachableError, *ABOUT_THE_SESSION) as error:  # it would be the same for every chat
                self._due_at = self._clock() + RETRY
                self._tell([Trouble(each.group_id, error, error.code, f"your other device is not added yet: {error}")])
                break
            except (ClientError, mls_rs.MlsError) as error:
                await self._run(self._siblings.refused, each, str(error), self._now())
        await self._run(self._siblings.due, self._now())  # what was done is settled

    async def packages(self) -> list[bytes]:
        """A key package of each other device of one's own that has one; none if that cannot be learned now."""
        known = {key.identity for key in await self._run(self._siblings.known)}
        if not known:
            return []
        try:
            found = await self._claimed()
        except (ServiceError, UnreachableError):
            return []
        return [package for identity, package in found if identity in known]

    async def remove(self, key: str, *, lost: bool = False) -> OwnDevice:
        """Take a device out of every chat and have its certificates revoked; returns what was known of it.

        `lost`: its key may be in other hands, so that nothing that it signed shows anything any more.
        """
        device = await self.find(key)
        if device.this:
            raise ChatError(
                "this is the device that you use", code="this-device", hint="Remove it on another device of yours."
            )
        reason = KEY_COMPROMISE if lost else CESSATION_OF_OPERATION
        groups = await self._run(self._siblings.remove, device.key.identity, reason, self._now())
        for group_id in groups:
            try:
                await self._drive(group_id)
            except LATER as error:
                self._tell([Trouble(group_id, error, error.code, f"the device is not removed yet: {error}")])
        await self._revoke()
        return device

    async def take_back(self, identity: bytes) -> None:
        """Let a device that was granted the number be none of one's own; what it got certified meanwhile is revoked."""
        await self._run(self._siblings.remove, identity, CESSATION_OF_OPERATION, self._now())
        await self._revoke()

    async def _revoke(self) -> None:
        """Have the certificates of removed devices revoked, by this device's account for the same number."""
        removed = await self._run(self._siblings.to_revoke)
        if not removed:
            return
        try:
            held = await self.held()
            async with self._authority() as authority:
                for device in removed:
                    for each in held:
                        if identity_of_key(self._steps.groups.account.number, each.key) == device.identity:
                            leaf = await authority.published(each.fingerprint)
                            await authority.revoke(None, [leaf], device.revoking or 0)
                    await self._run(self._siblings.revoked, device.identity)
        except ClientError as error:
            if isinstance(error, LATER):
                self._due_at = self._clock() + RETRY
            self._tell(
                [Trouble(None, error, error.code, f"the removed device's certificate is not revoked yet: {error}")]
            )

    async def find(self, key: str) -> OwnDevice:
        """The device whose key begins so. Raises ChatError if none does, or several do."""
        found = _called(key, await self.all(ask=False))
        if key and not found:  # nobody has met it, and the authority has certified it
            found = _called(key, await self.all(ask=True))
        if len(found) != 1:
            words = "several keys of yours begin so" if found else "no device of yours has a key that begins so"
            raise ChatError(words, code="unknown-device", hint="See them: ringtrue devices")
        return found[0]

    async def _add(self, each: Missing) -> None:
        if not await self._run(self._siblings.is_under_way, each, self._now()):
            package = await self._package_of(each.identity)
            if package is None:
                raise _AwayError(AWAY)
            await self._change(each.group_id, [AddMembers([package])])
        else:
            await self._drive(each.group_id)

    async def _package_of(self, identity: bytes) -> bytes | None:
        try:
            return dict(await self._claimed()).get(identity)
        except (NotFoundError, NoKeyPackageError):
            return None

    async def _claimed(self) -> list[tuple[bytes, bytes]]:
        """Key packages of the number's other devices; one that is not valid, or is another's, is left out."""
        packages = await self._delivery.claim_key_packages(self._steps.groups.account.number)
        return await self._run(self._checked, packages)

    def _checked(self, packages: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        found = []
        for package in packages:
            try:
                owner = self._steps.groups.engine.check_key_package(package, self._now())
                revoked = self._steps.groups.is_revoked(package, self._now())
            except mls_rs.MlsError:
                continue
            if not revoked:  # it was removed on another device; with it, nobody else would be added either
                found.append((owner.identity, package))
        return found

    def _authority(self) -> EnrolmentClient:
        account = self._steps.groups.account
        return EnrolmentClient(account.authority, clock=self._clock, transport=self._transport, acme=account.acme)

    def _all(self, held: Sequence[Holding]) -> list[OwnDevice]:
        own, number = self._steps.continuity.own, self._steps.groups.account.number
        certified: dict[bytes, Holding] = {}
        for each in held:  # the newest first
            certified.setdefault(identity_of_key(number, each.key), each)
        linked = {each.identity: each for each in self._siblings.all()}
        met = [key.identity for key in self._steps.continuity.keys(number) if key.met]
        devices = [self._device(each, linked.get(each), certified.get(each)) for each in {*met, *linked, *certified}]
        shown = [each for each in devices if each.key.met or each.chats or each.revoking or each.state == "valid"]
        return sorted(shown, key=lambda each: (each.key.identity != own, each.key.met_at or 0, each.key.key))

    def _device(self, identity: bytes, sibling: Sibling | None, held: Holding | None) -> OwnDevice:
        steps, this = self._steps, identity == self._steps.continuity.own
        chats = (
            [each for each in steps.chats.all() if each.standing.is_member]
            if this
            else self._siblings.chats_of(identity)
        )
        chains = [steps.groups.account.chain] if this else list(self._chains(identity, chats))
        state, ends_at = self._certificate(chains, held)
        missing = [
            each
            for each in self._siblings.missing()
            if each.identity == identity and not self._siblings.is_in(identity, each.group_id)
        ]
        return OwnDevice(
            key=steps.continuity.get(identity),
            name="" if sibling is None else sibling.name,
            this=this,
            state=state,
            ends_at=ends_at,
            linked=None if sibling is None else sibling.state,
            chats=tuple(chat.name for chat in chats),
            left_out=tuple((steps.chats.known(each.group_id).name, each.why) for each in missing),
            revoking=sibling is not None and sibling.revoking is not None,
        )

    def _chains(self, identity: bytes, chats: Sequence[Chat]) -> Iterable[tuple[bytes, ...]]:
        for chat in chats:
            for member in self._steps.groups.members(chat.group_id):
                if member.identity == identity:
                    yield member.credential.chain

    def _certificate(
        self, chains: Sequence[tuple[bytes, ...]], held: Holding | None
    ) -> tuple[DeviceState | None, int | None]:
        """The state and the end of the newest certificate that is known, by the chats or by the authority."""
        now = self._now()
        known = [
            (validity(load_certificate(chain[0]))[1], self._steps.revocations.state(chain, now)) for chain in chains
        ]
        if held is not None:
            state = DeviceState.VALID if now <= held.not_after else DeviceState.EXPIRED
            known.append((held.not_after, state))
        if not known:
            return None, None
        ends_at = max(end for end, _ in known)
        states = {state for end, state in known if end == ends_at}
        return (DeviceState.REVOKED if DeviceState.REVOKED in states else next(iter(states))), ends_at

    def _now(self) -> int:
        return int(self._clock())


class _AwayError(Exception):
    """The device has no key packages at the service."""


def _called(key: str, devices: Iterable[OwnDevice]) -> list[OwnDevice]:
    """Those whose keys begin so."""
    return [each for each in devices if key and each.key.key.startswith(key.lower())]
