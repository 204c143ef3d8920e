"""Alice before one sheet of the terminal client; Bob is her contact Ravi, Carol a stranger, Mallory breaks rules."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from textual.pilot import Pilot
from textual.screen import Screen

from client.desk.api import Api
from client.desk.desk import Desk
from client.desk.views import ChatView, MessageView
from client.formats.framing import wrap
from client.services.delivery import DeliveryClient
from client.tui.app import RingtrueApp
from client.tui.screens.key_line import KeyLine
from identity.number import TelephoneNumber
from lab.forgery import with_broken_signature
from lab.mallory import Credentials, Mallory
from tests.client.conftest import ALICE, AUTHORITY, BOB, CAROL, DELIVERY
from tests.client.tui.shell_scene import Scene, until

MALLORY = TelephoneNumber.from_digits("12025550166")
SIZES = [(60, 16), (80, 24), (140, 40)]
BAIT = "Your parcel is held, pay at parcel-desk.example"
TITLE = "Parcel desk"
_FRAMES = str.maketrans(dict.fromkeys("│┃▌▐▊▎█▇▆▅▄▃▂▁▔▀╭╮╰╯─━╸╺", " "))


@dataclass
class Seat:
    """Alice's app, and what a test does and sees in it."""

    scene: Scene
    app: RingtrueApp
    pilot: Pilot[int]

    @property
    def api(self) -> Api:
        return self.app.api

    @property
    def text(self) -> str:
        """All of the sheet in front and its keys as one line, without frames: what was broken into rows is whole."""
        screen = self.app.screen
        rows = [strip.text for strip in screen._compositor.render_strips(screen.size)]
        frame, keys = screen.query_one(".frame").region, screen.query_one(KeyLine).region
        shown = [row[frame.x : frame.right] for row in rows[frame.y : frame.bottom]] + rows[keys.y : keys.bottom]
        return " ".join(" ".join(shown).translate(_FRAMES).split())

    async def show(self, screen: Screen[Any]) -> None:
        """Put a screen on top, and see what it answers in `answer`."""
        self.answer: list[Any] = []
        self.app.push_screen(screen, self.answer.append)
        await self.until(lambda: self.app.screen is screen and screen.query(KeyLine), "the sheet is in front")

    async def until(self, holds: Callable[[], Any], what: str) -> None:
        await until(self.pilot, holds, what)

    async def sees(self, words: str) -> None:
        """Wait until these words are on the screen."""
        await self.until(lambda: words in self.text, f"{words!r} on the screen: {self.text}")

    async def misses(self, words: str) -> None:
        """Wait until these words are no longer on the screen."""
        await self.until(lambda: words not in self.text, f"{words!r} gone from the screen")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def type(self, text: str) -> None:
        for character in text:
            await self.pilot.press("space" if character == " " else character)
        await self.pilot.pause()

    async def ravi(self, name: str = "Climbing group") -> tuple[Desk, ChatView]:
        """Bob, known as Ravi, in a group of which Alice is the admin."""
        bob = self.scene.desks.get(BOB) or await self.scene.person(BOB)
        await bob.people.know(ALICE.e164)
        await self.api.people.know(BOB.e164)
        await self.api.people.name(BOB.e164, "Ravi")
        chat = await self.api.chats.create(name, [BOB.e164])
        await bob.device.sync()
        return bob, chat

    async def hears(self, friend: Desk, chat: ChatView, text: str) -> MessageView:
        """A message from a friend, read by Alice's app."""
        await friend.messages.send(chat.group, text)
        await friend.device.sync()
        await self.api.device.sync()
        return (await self.api.messages.page(chat.group))[-1]

    async def asked(self, number: TelephoneNumber = CAROL) -> Desk:
        """A stranger with a group of her own, who has written into it."""
        carol = await self.scene.person(number)
        chat = await carol.chats.create(TITLE, [ALICE.e164], roles=False)
        await carol.messages.send(chat.group, BAIT)
        await carol.device.sync()
        await self.api.device.sync()
        return carol

    async def deceived(self, text: str = BAIT) -> ChatView:
        """Mallory, in a chat with Alice, has sent a message whose proof does not hold."""
        world = self.scene.world
        account = await world.enrol(MALLORY)
        async with DeliveryClient(
            DELIVERY, account.key, account.chain, clock=world.clock, transport=world.network
        ) as wire:
            device = Credentials(MALLORY, account.key, account.chain, AUTHORITY)
            mallory = Mallory(device, wire, "delivery.test", world.clock)
            await mallory.publish_key_packages(1)
            chat = await self.api.chats.create("Flea market", [MALLORY.e164], roles=False)
            await mallory.join()
            group = bytes.fromhex(chat.group)
            framed = mallory.framed(group, text)
            proof = with_broken_signature(mallory.prove(group, framed))
            await mallory.post(group, mallory.encrypt(group, wrap(proof, framed)))
        await self.api.device.sync()
        return chat


@asynccontextmanager
async def seated(scene: Scene, size: tuple[int, int] = (80, 24), **settings: Any) -> AsyncIterator[Seat]:
    """Alice's terminal client with its account open."""
    await scene.enrolled(ALICE)
    app = scene.app(**settings)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.is_open, "the account is open")
        yield Seat(scene, app, pilot)
