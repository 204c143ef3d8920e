"""Spammers: certified like anybody, with the real engine and the real services, and no patience."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from client.errors import ServiceError
from client.formats.framing import wrap
from client.records.outbox import new_idempotency_key
from delivery_service.wire import CommitBundle
from identity.binding import attest_message
from identity.number import TelephoneNumber
from lab.mallory import Mallory
from lab.spam.population import transport_of
from lab.spam.scenario import Strategy
from lab.world import World

LAST_NUMBER = 12_025_559_999  # numbers are taken from here downwards
PITCHES = ("You have won a voucher", "Your parcel waits", "A loan without questions", "Cheap watches", "Call me back")
ADDRESSES = 40_000  # where the addresses of spammers begin, beyond those of people
GROUP_SIZE = 4  # people in one group of Strategy.GROUP_INVITE


@dataclass(slots=True)
class Numbers:
    """Hands out numbers that nobody has yet, and counts them: they are what spam costs."""

    taken: int = 0

    def next(self) -> TelephoneNumber:
        """A fresh number."""
        self.taken += 1
        return TelephoneNumber.from_digits(str(LAST_NUMBER - self.taken + 1))


@dataclass(frozen=True, slots=True)
class Pitched:
    """What came of one try: the group (hexadecimal), who is in it, and why the others are not."""

    group: str
    reached: Collection[TelephoneNumber]
    refused: Mapping[TelephoneNumber, ServiceError]


@dataclass(slots=True)
class Spammer:
    """One spammer; `due` carries the part of an attempt that a step's share leaves over."""

    name: str
    strategy: Strategy
    random: Random
    targets: list[TelephoneNumber]
    numbers: Numbers
    world: World
    due: float = 0.0
    reached: int = 0
    device: Mallory | None = None

    async def identity(self, rotate_after: int) -> Mallory:
        """The number in use; Strategy.ROTATION takes another one after so many people."""
        worn = self.strategy is Strategy.ROTATION and self.reached >= rotate_after
        if self.device is None or worn:
            number = self.numbers.next()
            self.device = await self.world.mallory(number.e164, transport_of(ADDRESSES + self.numbers.taken))
            self.reached = 0
        return self.device

    def next_targets(self, count: int) -> list[TelephoneNumber]:
        """The next people on the list, which begins again at its end."""
        chosen = [self.targets.pop(0) for _ in range(min(count, len(self.targets)))]
        self.targets += chosen
        return chosen

    async def pitch(self, mallory: Mallory, targets: Sequence[TelephoneNumber]) -> Pitched:
        """Add people to a group and write to it; those whose key packages are refused stay out."""
        packages: dict[TelephoneNumber, bytes] = {}
        refused: dict[TelephoneNumber, ServiceError] = {}
        for target in targets:
            try:
                packages[target] = (await mallory.delivery.claim_key_packages(target))[0]
            except ServiceError as error:
                refused[target] = error
        group_id = self.random.randbytes(16)
        if packages:
            await _found(mallory, group_id, list(packages.values()))
            await _write(mallory, group_id, list(packages), self.random.choice(PITCHES))
            self.reached += len(packages)
        return Pitched(group_id.hex(), packages.keys(), refused)


async def _found(mallory: Mallory, group_id: bytes, packages: Sequence[bytes]) -> None:
    now = mallory.now()
    group = mallory.engine.create(group_id, now)
    await mallory.delivery.create_group(group_id, group.group_info(), new_idempotency_key())
    pending = group.commit(now, add=packages)
    bundle = CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)
    await mallory.delivery.commit(group_id, bundle, new_idempotency_key())
    group.apply(pending.secrets)
    mallory.groups[group_id] = group


async def _write(mallory: Mallory, group_id: bytes, readers: Sequence[TelephoneNumber], text: str) -> None:
    """Write as the rules want it: a spammer gains nothing by breaking the proof."""
    framed = mallory.framed(group_id, text)
    proof = attest_message(
        mallory.device.key,
        mallory.device.chain[0],
        base_url=mallory.device.x5u_base,
        number=mallory.number,
        group_uri=mallory.group_uri(group_id),
        peer=readers[0] if len(readers) == 1 else None,
        framed=framed,
        now=mallory.now(),
    )
    await mallory.post(group_id, mallory.encrypt(group_id, wrap(proof, framed)))
