"""Where attacks are played: honest people in a group with Mallory, and what they make of her messages."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from client.framing import wrap
from client.session import Session
from identity.binding import Verdict, Verification
from identity.number import TelephoneNumber
from lab.attacks.outcome import Outcome
from lab.mallory import Heard, Mallory
from lab.readings import Reading, agreed, outcome, reading
from lab.sent import describe_proof
from lab.world import World


@dataclass(frozen=True, slots=True)
class Person:
    """An honest person with an enrolled client."""

    name: str
    number: TelephoneNumber
    session: Session


@dataclass(frozen=True, slots=True)
class Said:
    """An honest message, and the verdict of each honest reader; None where it did not arrive."""

    speaker: str
    number: TelephoneNumber
    text: str
    verdicts: dict[str, Verdict | None]

    @property
    def verified(self) -> bool:
        """Whether everybody saw it verified."""
        return bool(self.verdicts) and all(verdict is Verdict.VERIFIED for verdict in self.verdicts.values())


@dataclass(slots=True)
class Stage:
    """A world with a group; `other_group` is a second one with other members. Mallory is in both, Alice as well."""

    world: World
    people: Sequence[Person]
    mallory: Mallory
    group: bytes
    other_group: bytes
    other_people: Sequence[Person]
    said: list[Said] = field(default_factory=list)

    @property
    def alice(self) -> Person:
        """The one whose name Mallory likes to use."""
        return self.people[0]

    def now(self) -> int:
        """The world's time in whole seconds."""
        return int(self.world.clock())

    async def say(self, speaker: Person, text: str) -> Said:
        """Let an honest person write to the group, and everybody read it."""
        message = await speaker.session.send(self.group, text)
        readers = [person for person in self.people if person is not speaker]
        return self._record(speaker.name, speaker.number, text, await self._readings(readers, self.group, message.seq))

    async def overhear(self, speaker: Person, text: str) -> Heard:
        """Let an honest person write, and Mallory keep what she decrypts."""
        await self.say(speaker, text)
        return (await self.mallory.listen(self.group))[-1]

    async def send_honestly(self, group_id: bytes, text: str) -> tuple[bytes, bytes]:
        """Let Mallory keep to the rules once; returns the proof and the octets that it covers."""
        await self.mallory.listen(group_id)
        framed = self.mallory.framed(group_id, text)
        proof = self.mallory.prove(group_id, framed)
        await self._post_honest(group_id, text, self.mallory.encrypt(group_id, wrap(proof, framed)))
        return proof, framed

    async def send_and_keep_ciphertext(self, text: str) -> bytes:
        """Let Mallory keep to the rules once; returns what she posted."""
        await self.mallory.listen(self.group)
        framed = self.mallory.framed(self.group, text)
        ciphertext = self.mallory.encrypt(self.group, wrap(self.mallory.prove(self.group, framed), framed))
        await self._post_honest(self.group, text, ciphertext)
        return ciphertext

    async def send_proven(self, proof: bytes, framed: bytes) -> Outcome:
        """Let Mallory encrypt and post any proof with any octets."""
        sent = describe_proof(proof, self.mallory.group_uri(self.group), self.now())
        return replace(await self.send(wrap(proof, framed)), sent=sent)

    async def send(self, data: bytes) -> Outcome:
        """Let Mallory encrypt and post any application data."""
        await self.mallory.listen(self.group)
        return await self.post(self.mallory.encrypt(self.group, data), "content alone, without any proof")

    async def post(self, message: bytes, sent: str) -> Outcome:
        """Let Mallory append any octets to the group's log, and everybody read them."""
        seq = await self.mallory.post(self.group, message)
        readings = await self._readings(self.people, self.group, seq)
        return replace(agreed([outcome(found) for found in readings.values()]), sent=sent)

    async def remove_mallory(self) -> None:
        """Let Alice remove Mallory from the group, and everybody learn of it."""
        await self.alice.session.remove(self.group, [self.mallory.number])
        await asyncio.gather(*(person.session.receive() for person in self.people))

    async def _post_honest(self, group_id: bytes, text: str, ciphertext: bytes) -> None:
        seq = await self.mallory.post(group_id, ciphertext)
        readers = self.people if group_id == self.group else self.other_people
        self._record("Mallory", self.mallory.number, text, await self._readings(readers, group_id, seq))

    async def _readings(self, readers: Sequence[Person], group_id: bytes, seq: int | None) -> dict[str, Reading]:
        told = await asyncio.gather(*(reader.session.receive() for reader in readers))
        return {reader.name: reading(events, group_id, seq) for reader, events in zip(readers, told, strict=True)}

    def _record(self, speaker: str, number: TelephoneNumber, text: str, readings: dict[str, Reading]) -> Said:
        verdicts = {
            name: found.verdict if isinstance(found, Verification) else None for name, found in readings.items()
        }
        said = Said(speaker, number, text, verdicts)
        self.said.append(said)
        return said
