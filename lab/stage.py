"""Where attacks are played: honest people in a group with Mallory, and what they make of her messages."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from client.errors import ServiceError
from client.events import Gap
from client.formats.framing import wrap
from client.records.outbox import new_idempotency_key
from client.session import Session
from delivery_service.wire import CommitBundle
from identity.binding import Verdict
from identity.number import TelephoneNumber
from lab.attacks.outcome import Outcome
from lab.bribed import Bribed
from lab.deception import Deceived, Deception
from lab.forgery import attested
from lab.mallory import Heard, Mallory
from lab.people import Person
from lab.readings import Passed, Reading, agreed, committers, outcome, reading, service_refusal, verdict
from lab.sent import describe_proof
from lab.world import World


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
    """A world with a group; `other_group` is a second one with other members. Mallory is in both, Alice as well.

    `began`: the second before Mallory was added to the group.
    """

    world: World
    people: Sequence[Person]
    mallory: Mallory
    group: bytes
    other_group: bytes
    other_people: Sequence[Person]
    began: int
    said: list[Said] = field(default_factory=list)
    _bribed: Bribed | None = None
    _deceived: Deceived | None = None
    _strangers: int = 0

    @property
    def alice(self) -> Person:
        """The one whose name Mallory likes to use."""
        return self.people[0]

    async def bribed(self) -> Bribed:
        """The delivery service on Mallory's side."""
        if self._bribed is None:
            self._bribed = await Bribed.at(self.world)
        return self._bribed

    async def deception(self) -> Deception:
        """A new chat of Alice, Bob and Vera, to whom the delivery service can lie."""
        if self._deceived is None:
            self._deceived = await Deceived.at(self.world)
        return await self._deceived.chat(*self.people[:2])

    async def elsewhere(self, admins: Sequence[TelephoneNumber] = ()) -> "Stage":
        """The same people in a new group, for what leaves a group of no use; with `admins` it has roles."""
        (alice, *others), began = self.people, self.now()
        await self.mallory.publish_key_packages(1)
        members = [*(person.number for person in others), self.mallory.number]
        group = (await alice.session.create_chat(None, members, admins=admins)).group_id
        for person in (*others, alice):
            await person.session.receive()
        for person in others:
            await person.accept(group, alice.number)
        await self.mallory.join()
        return replace(self, group=group, began=began)

    async def accomplice(self) -> Mallory:
        """Somebody new with a genuine number and no rules, whom nobody knows."""
        return await self.world.mallory(self._new_number())

    @asynccontextmanager
    async def newcomer(self, name: str) -> AsyncIterator[Session]:
        """Somebody new with a genuine number and an honest client, whom nobody knows; open inside the context."""
        async with self.world.visitor(name, self._new_number(), self.world.delivery_url) as session:
            yield session

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

    async def send_proven(self, proof: bytes, framed: bytes, readers: Sequence[Person] = ()) -> Outcome:
        """Let Mallory encrypt and post any proof with any octets; `readers` are asked, or else everybody is."""
        sent = describe_proof(proof, self.mallory.group_uri(self.group), self.now())
        return await self.send(attested(proof, framed), sent, readers)

    async def send(
        self, data: bytes, sent: str = "content alone, without any proof", readers: Sequence[Person] = ()
    ) -> Outcome:
        """Let Mallory encrypt and post any application data."""
        await self.mallory.listen(self.group)
        return await self.post(self.mallory.encrypt(self.group, data), sent, readers)

    async def post(self, message: bytes, sent: str, readers: Sequence[Person] = ()) -> Outcome:
        """Let Mallory append any octets to the group's log, and everybody read them."""
        seq = await self.mallory.post(self.group, message)
        readings = await self._readings(readers or self.people, self.group, seq)
        return replace(agreed([outcome(found) for found in readings.values()]), sent=sent)

    async def commit(self, committer: Mallory, bundle: CommitBundle, sent: str) -> Outcome:
        """Let somebody commit, and everybody read it; it has won if everybody applies it."""
        try:
            seq = (await committer.delivery.commit(self.group, bundle, new_idempotency_key())).seq
        except ServiceError as refusal:
            return service_refusal(refusal, sent)
        told = await asyncio.gather(*(person.session.receive() for person in self.people))
        found = [reading(events, self.group, seq) for events in told]
        if any(isinstance(each, Gap) for each in found):
            return replace(agreed([outcome(each) for each in found]), sent=sent)
        won = all(committer.number in committers(events, self.group) for events in told)
        return Outcome(None, "Every client has applied the commit.", sent=sent, won=won)

    async def remove_mallory(self) -> None:
        """Let Alice remove Mallory from the group, and everybody learn of it."""
        await self.alice.session.remove(self.group, [self.mallory.number])
        await asyncio.gather(*(person.session.receive() for person in self.people))

    async def members(self) -> list[list[TelephoneNumber]]:
        """Who is in the group, as each honest client has it."""
        return await asyncio.gather(*(person.session.members(self.group) for person in self.people))

    def _new_number(self) -> str:
        self._strangers += 1
        return f"+1202555{3000 + self._strangers}"

    async def _post_honest(self, group_id: bytes, text: str, ciphertext: bytes) -> None:
        seq = await self.mallory.post(group_id, ciphertext)
        readers = self.people if group_id == self.group else self.other_people
        self._record("Mallory", self.mallory.number, text, await self._readings(readers, group_id, seq))

    async def _readings(self, readers: Sequence[Person], group_id: bytes, seq: int | None) -> dict[str, Reading]:
        found = await asyncio.gather(*(self._reading(reader, group_id, seq) for reader in readers))
        return {reader.name: each for reader, each in zip(readers, found, strict=True)}

    async def _reading(self, reader: Person, group_id: bytes, seq: int | None) -> Reading:
        found = reading(await reader.session.receive(), group_id, seq)
        if found is None and seq is not None:
            chat = await reader.session.worker.run(reader.session.steps.chats.known, group_id)
            return Passed.OVER if chat.cursor >= seq else None
        return found

    def _record(self, speaker: str, number: TelephoneNumber, text: str, readings: dict[str, Reading]) -> Said:
        verdicts = {name: verdict(found) for name, found in readings.items()}
        said = Said(speaker, number, text, verdicts)
        self.said.append(said)
        return said
