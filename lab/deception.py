"""A delivery service that lies to one person, Vera, who is in a chat with people who see the truth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx

from client.defence.lies import Lie
from client.events import Event, Gap, MessageReceived
from client.session import Session
from lab.attacks.outcome import Outcome
from lab.lying import LyingTransport, honest, nothing
from lab.people import Person
from lab.readings import outcome
from lab.world import World

VERA = "+12025550177"


@dataclass(slots=True)
class Deceived:
    """Vera's client, whose every call goes through `liar`; `chats` counts those that were made for her."""

    person: Person
    liar: LyingTransport
    chats: int = 0

    @classmethod
    async def at(cls, world: World) -> "Deceived":
        """Let Vera enrol; she stays until the world ends."""
        liar = LyingTransport(httpx.AsyncHTTPTransport())
        session = await world.keep(world.visitor("Vera", VERA, world.delivery_url, transport=liar))
        return cls(Person("Vera", session.account.number, session), liar)

    async def chat(self, alice: Person, bob: Person) -> "Deception":
        """A new chat of the three, in which everybody has read everything and nobody was lied to yet."""
        self.chats += 1
        self._tell_the_truth()
        members = [bob.number, self.person.number]
        group = (await alice.session.create_chat(f"With Vera {self.chats}", members)).group_id
        for person in (bob, self.person, alice):
            await person.session.receive()
        for person in (bob, self.person):
            await person.accept(group, alice.number)
        return Deception(group, alice, bob, self.person.session, self.liar)

    def _tell_the_truth(self) -> None:
        liar = self.liar
        liar.drop = liar.hide = liar.replay = liar.swap = liar.keep_welcomes = nothing
        liar.backdate, liar.answer = 0, honest


@dataclass(frozen=True, slots=True)
class Deception:
    """Alice and Bob, who see the truth, and Vera, who sees what `liar` lets her see of `group`."""

    group: bytes
    alice: Person
    bob: Person
    vera: Session
    liar: LyingTransport

    async def say(self, text: str, *, as_bob: bool = False) -> None:
        """Let Alice, or Bob, write, and the other one read it."""
        speaker, other = (self.bob, self.alice) if as_bob else (self.alice, self.bob)
        await speaker.session.send(self.group, text)
        await other.session.receive()

    async def read(self) -> Sequence[Event]:
        """Let Vera read what she is shown of this chat."""
        return [event for event in await self.vera.receive() if group_of(event) == self.group]

    async def shown(self) -> list[str]:
        """The texts in Vera's history of this chat, in order."""
        return [
            row.text for row in await self.vera.history(self.group) if row.kind == "received" and row.place == "inbox"
        ]


def group_of(event: Event) -> bytes | None:
    """The group of what a client read or noticed in a log."""
    match event:
        case MessageReceived(message):
            return message.group_id
        case Gap():
            return event.group_id
    return None


def noticed(events: Sequence[Event], lie: Lie, sent: str, *, won: bool) -> Outcome:
    """What a client made of a lie: named as what it is, named as something else, a message refused, or believed."""
    gaps = [event for event in events if isinstance(event, Gap)]
    named = next((gap for gap in gaps if gap.code == lie), gaps[0] if gaps else None)
    rows = [outcome(event.message) for event in events if isinstance(event, MessageReceived)]
    refused = next((row for row in rows if row.stopped), None)
    if named is None and refused is not None:
        return replace(refused, sent=sent)
    found = Outcome(None, "The client has noticed nothing.", won=won) if named is None else outcome(named)
    seen = rows[-1] if rows else found
    return replace(found, badge=found.badge or seen.badge, sent=sent, checks=seen.checks, message=seen.message)
