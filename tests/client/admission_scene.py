"""People with a desk each, and Mallory who sends what she likes, for tests of admission."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from client.desk.desk import Desk, open_desk
from client.desk.views import ChatView, MessageView
from client.formats.framing import wrap
from client.services.delivery import DeliveryClient
from identity.number import TelephoneNumber
from lab.forgery import with_broken_signature
from lab.mallory import Credentials, Mallory
from tests.client.conftest import AUTHORITY, DELIVERY, PASSPHRASE, World

MALLORY = TelephoneNumber.from_digits("12025550166")
BAIT = "Your parcel is held, pay at parcel-desk.example"


@dataclass(frozen=True)
class Person:
    """A desk, and short words for what people do with it."""

    desk: Desk
    number: TelephoneNumber

    async def begins(self, name: str, *others: "Person") -> str:
        """A group with others, who have read that they are in it; its id."""
        chat = await self.desk.chats.create(name, [other.number.e164 for other in others], roles=False)
        for other in others:
            await other.desk.device.sync()
        return chat.group

    async def says(self, group: str, words: str, *others: "Person") -> None:
        """A message, and others read it."""
        await self.desk.messages.send(group, words)
        await self.desk.device.sync()
        for other in others:
            await other.desk.device.sync()

    async def rows(self, group: str) -> list[MessageView]:
        """What others have said in a chat, wherever it is shown."""
        rows = await self.desk.session.history(bytes.fromhex(group))
        return [await self.desk.messages.get(row.id) for row in rows if row.kind == "received"]

    async def last(self, group: str) -> MessageView:
        return (await self.rows(group))[-1]

    async def counts(self) -> dict[tuple[str, str], int]:
        return {(each.rule, each.place): each.count for each in await self.desk.admission.counts()}

    async def everything_stored(self) -> str:
        """Every cell of every table, as text."""
        store = self.desk.session.steps.store

        def cells() -> str:
            names = [row[0] for row in store.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            return repr([store.rows(f'SELECT * FROM "{name}"') for name in names])

        return await self.desk.session.worker.run(cells)


@asynccontextmanager
async def at_home(world: World, number: TelephoneNumber) -> AsyncIterator[Person]:
    """Somebody who has enrolled, with an open account."""
    opening = open_desk(
        world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
    )
    async with opening as desk:
        await desk.device.sync()
        yield Person(desk, number)


@asynccontextmanager
async def mallory_in(world: World, person: Person) -> AsyncIterator[tuple[Mallory, str]]:
    """Mallory, whom somebody has invited into a chat; and its id."""
    account = await world.enrol(MALLORY)
    async with DeliveryClient(DELIVERY, account.key, account.chain, clock=world.clock, transport=world.network) as wire:
        mallory = Mallory(
            Credentials(MALLORY, account.key, account.chain, AUTHORITY), wire, "delivery.test", world.clock
        )
        await mallory.publish_key_packages(1)
        chat: ChatView = await person.desk.chats.create("Flea market", [MALLORY.e164], roles=False)
        await mallory.join()
        yield mallory, chat.group


async def sends(mallory: Mallory, group: str, words: str, *, proof: str) -> None:
    """One message of hers; `proof`: good, broken or none."""
    group_id = bytes.fromhex(group)
    framed = mallory.framed(group_id, words)
    await send_octets(
        mallory, group, framed if proof == "none" else wrap(_proof(mallory, group_id, framed, proof), framed)
    )


async def send_octets(mallory: Mallory, group: str, octets: bytes) -> None:
    """Any octets of hers, encrypted for a chat."""
    group_id = bytes.fromhex(group)
    await mallory.post(group_id, mallory.encrypt(group_id, octets))


def _proof(mallory: Mallory, group_id: bytes, framed: bytes, proof: str) -> bytes:
    good = mallory.prove(group_id, framed)
    return good if proof == "good" else with_broken_signature(good)
