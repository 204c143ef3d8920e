"""The showcase: one account to which everything has happened that a screen of the client can show.

It is told as a story of two days in November, with the real services, clients and certificates of a still world, and
ends on Tuesday the 17th at 18:07 UTC. `python -m lab.client_picture` and the tests of the screens' looks draw it.
"""

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageDraw

from client.desk.desk import Desk
from client.formats.framing import wrap
from identity.number import TelephoneNumber
from lab.mallory import Mallory
from lab.still_world import StillWorld

START = 1_794_844_800  # Monday, 16 November 2026, 16:00 UTC
MINUTE, HOUR = 60, 3_600
NAMES = ("Alice", "Ravi", "Mei", "Mum", "Clinic", "Priya", "Landlord", "Parcel", "Prizes", "Bargain")
NUMBERS = {
    name: TelephoneNumber.from_digits(f"120255501{end}")
    # The parcel service's number differs in one digit from Ravi's, whom Alice knows.
    for name, end in zip(NAMES, ("00", "23", "31", "09", "50", "17", "60", "24", "76", "88"), strict=True)
}
JO = TelephoneNumber.from_digits("12025550142")
KNOWN = {"Ravi": "Ravi", "Mei": "Mei", "Mum": "Mum", "Clinic": "Dr Okafor's clinic", "Landlord": "Landlord"}
TIDES = "\n".join(f"{hour:02}:00  {('low', 'rising', 'high', 'falling')[hour // 2 % 4]}" for hour in range(48))


@dataclass
class Showcase:
    """The world as it is at the end, and the hexadecimal group ids of Alice's chats by name.

    Her account is closed; `world.desk("Alice", line)` opens it.
    """

    world: StillWorld
    downloads: Path
    groups: dict[str, str] = field(default_factory=dict)


@dataclass
class Telling:
    """The story while it happens: everybody has a desk, and Jo, who keeps to no rule, an engine of her own."""

    show: Showcase
    desks: dict[str, Desk]
    jo: Mallory

    @property
    def alice(self) -> Desk:
        """Whose account is shown."""
        return self.desks["Alice"]

    async def read(self, *names: str) -> None:
        """Let people read and post what there is; Alice after the others."""
        for name in (*names, "Alice"):
            await self.desks[name].device.sync()

    async def say(self, name: str, chat: str, text: str, reply_to: str = "") -> int:
        """Let somebody write to a chat, perhaps in answer to a text, and Alice read it; returns their row."""
        desk, group = self.desks[name], self.show.groups[chat]
        await desk.device.sync()
        answered = await self.row(name, chat, reply_to) if reply_to else None
        sent = await desk.messages.send(group, text, answered)
        await self.read(name)
        return sent.row

    async def row(self, name: str, chat: str, text: str) -> int:
        """Where a text stands on somebody's device."""
        rows = await self.desks[name].messages.page(self.show.groups[chat])
        return next(each.row for each in reversed(rows) if each.text.startswith(text))

    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.show.world.clock.advance(seconds)

    async def jo_sends(self, chat: str, text: str, **forged: str | TelephoneNumber) -> None:
        """Let Jo sign a text with her own key; `sender` and `signed` put other things in the place of the true ones."""
        group = bytes.fromhex(self.show.groups[chat])
        await self.jo.listen(group)
        sender = forged.get("sender")
        assert not isinstance(sender, str)
        framed = self.jo.framed(group, text, sender)
        signed = self.jo.framed(group, str(forged["signed"])) if "signed" in forged else framed
        claims = self.jo.claims(group, signed)
        if sender is not None:
            claims |= {"orig": {"tn": sender.digits}}
        await self.jo.post(group, self.jo.encrypt(group, wrap(self.jo.sign(claims), framed)))
        await self.read()

    async def jo_sends_bare(self, chat: str, text: str) -> bytes:
        """Let Jo leave out the proof; returns the ciphertext."""
        group = bytes.fromhex(self.show.groups[chat])
        await self.jo.listen(group)
        ciphertext = self.jo.encrypt(group, self.jo.framed(group, text))
        await self.jo.post(group, ciphertext)
        await self.read()
        return ciphertext


@asynccontextmanager
async def showcase(folder: Path) -> AsyncIterator[Showcase]:
    """Tell the whole story in a folder; the services run until the context ends."""
    downloads = folder / "downloads"
    downloads.mkdir()
    async with StillWorld(folder, START) as world:
        show = Showcase(world, downloads)
        for name, number in NUMBERS.items():
            await world.enrol(name, number)
        jo = await world.mallory(JO)
        await jo.publish_key_packages(2)
        async with AsyncExitStack() as stack:
            desks = {name: await stack.enter_async_context(world.desk(name)) for name in NAMES}
            telling = Telling(show, desks, jo)
            for scene in SCENES:
                await scene(telling)
                telling.wait(MINUTE)  # no two chats were last written to in the same second
        yield show


async def _everybody_is_known(telling: Telling) -> None:
    for name, called in KNOWN.items():
        await telling.alice.people.know(NUMBERS[name].e164)
        await telling.alice.people.name(NUMBERS[name].e164, called)
    for name in ("Ravi", "Mei", "Mum", "Clinic", "Priya", "Landlord"):
        for other in ("Alice", "Ravi", "Mei", "Priya"):
            if other != name:
                await telling.desks[name].people.know(NUMBERS[other].e164)
    for name in ("Ravi", "Mei", "Mum", "Clinic", "Landlord"):
        telling.show.groups[name] = (await telling.alice.chats.direct(NUMBERS[name].e164)).group
        await telling.read(name)


async def _a_street_party_ends(telling: Telling) -> None:
    """Notices of every kind; what Alice wrote last cannot be sent, because she was taken out before."""
    alice, ravi, mei, priya = (NUMBERS[name].e164 for name in ("Alice", "Ravi", "Mei", "Priya"))
    chats = telling.alice.chats
    group = telling.show.groups["Street party"] = (await chats.create("Party", [ravi, mei])).group
    await telling.read("Ravi", "Mei")
    await chats.rename(group, "Street party")
    await chats.admin(group, ravi, True)
    await chats.admin(group, mei, True)
    await chats.admin(group, mei, False)
    await chats.invite(group, [priya])
    await chats.timer(group, 7 * 86_400)
    await telling.read("Ravi", "Mei", "Priya")
    await chats.timer(group, 0)
    await telling.say("Priya", "Street party", "I cannot come after all, have fun.")
    await telling.desks["Priya"].chats.leave(group)
    await telling.read("Priya")
    await telling.read("Ravi")
    await chats.remove(group, mei)
    await telling.read("Ravi", "Mei")
    await telling.say("Ravi", "Street party", "The party is off: no permit for the street.")
    await telling.desks["Ravi"].chats.remove(group, alice)
    await telling.alice.messages.send(group, "What a pity. Next year then?")
    await telling.read("Ravi")
    await chats.mute(group, None)


async def _chats_are_put_away(telling: Telling) -> None:
    chats = telling.alice.chats
    await telling.say("Landlord", "Landlord", "The boiler is repaired.")
    await telling.say("Alice", "Landlord", "Thank you, it is warm again.")
    await telling.read("Landlord")
    await chats.archive(telling.show.groups["Landlord"], True)
    telling.wait(MINUTE)
    club = telling.show.groups["Book club"] = (await chats.create("Book club", [NUMBERS["Ravi"].e164], False)).group
    await telling.say("Ravi", "Book club", "Chapter nine for next week.")
    await chats.leave(club)
    await telling.read("Ravi")


async def _climbers_plan(telling: Telling) -> None:
    members = [NUMBERS[name].e164 for name in ("Ravi", "Mei", "Priya")]
    group = telling.show.groups["Climbing"] = (await telling.alice.chats.create("Climbing", members)).group
    await telling.alice.chats.admin(group, NUMBERS["Ravi"].e164, True)
    await telling.read("Ravi", "Mei", "Priya")
    await telling.desks["Ravi"].chats.invite(group, [JO.e164])
    await telling.read("Ravi")
    await telling.jo.join()
    telling.wait(10 * MINUTE)
    await telling.say(
        "Ravi", "Climbing", "Anyone free on Saturday? It should stay dry: https://weather.example/saturday"
    )
    telling.wait(2 * MINUTE)
    row = await telling.say("Alice", "Climbing", "I am")
    await telling.alice.messages.edit(row, f"I am. @{NUMBERS['Mei'].e164} can you drive?")
    await telling.read("Mei")
    telling.wait(3 * MINUTE)
    await telling.say("Mei", "Climbing", "Yes, I have three seats left.", reply_to="I am")
    await telling.read("Ravi")
    yes = "Yes, I have"
    await telling.alice.messages.react(await telling.row("Alice", "Climbing", yes), "👍")
    await telling.desks["Ravi"].messages.react(await telling.row("Ravi", "Climbing", yes), "🎉")
    await telling.read("Ravi", "Priya")
    await telling.desks["Priya"].messages.react(await telling.row("Priya", "Climbing", yes), "👍")
    await telling.read("Priya")


async def _jo_tries_everything(telling: Telling) -> None:
    telling.wait(5 * MINUTE)
    await telling.jo_sends("Climbing", "I can bring the second rope.")
    ciphertext = await telling.jo_sends_bare("Climbing", "Running late, start without me.")
    await telling.jo.post(bytes.fromhex(telling.show.groups["Climbing"]), ciphertext)
    await telling.read()
    telling.wait(2 * MINUTE)
    ravi = NUMBERS["Ravi"]
    await telling.jo_sends("Climbing", "I lost my purse. Can you send 500 to this account?", sender=ravi)
    await telling.jo_sends("Climbing", "The hut key is under the mat, help yourselves.", signed="See you on Saturday.")
    await telling.jo_sends("Climbing", "Ravi here, new number: save it and delete the old one.", sender=ravi)


async def _a_number_is_blocked(telling: Telling) -> None:
    bargain = telling.desks["Bargain"]
    group = telling.show.groups["Climbing"]
    await bargain.people.know(NUMBERS["Ravi"].e164)
    await telling.desks["Ravi"].chats.invite(group, [NUMBERS["Bargain"].e164])
    await telling.alice.people.block(NUMBERS["Bargain"].e164)
    await telling.say("Bargain", "Climbing", "Ropes at half price, only today")
    await telling.desks["Ravi"].device.sync()
    await telling.desks["Ravi"].chats.remove(group, NUMBERS["Bargain"].e164)
    for _ in range(2):
        await bargain.chats.create("Ropes", [NUMBERS["Alice"].e164])
        await telling.read("Bargain")


async def _files_are_sent(telling: Telling) -> None:
    telling.wait(12 * MINUTE)
    ravi, mei, group = telling.desks["Ravi"], telling.desks["Mei"], telling.show.groups["Climbing"]
    picture, notes = telling.show.world.folder / "north face.png", telling.show.world.folder / "tides.txt"
    picture.write_bytes(_mountain())
    notes.write_text(TIDES)
    await ravi.device.sync()
    await ravi.messages.send_file(group, str(picture), "This is the wall.")
    await telling.read("Ravi")
    await mei.device.sync()
    await mei.messages.send_file(group, str(notes))
    await telling.read("Mei")
    rows = await telling.alice.messages.page(group)
    offered = next(each.row for each in reversed(rows) if each.attachment is not None)
    await telling.alice.messages.save(offered, str(telling.show.downloads))
    row = await telling.say("Ravi", "Climbing", "Does this reach everybody?")
    await ravi.messages.delete(row)
    await telling.read("Ravi")


async def _mei_writes_in_many_scripts(telling: Telling) -> None:
    """A chat whose messages disappear a week after they were read."""
    group = telling.show.groups["Mei"]
    await telling.alice.chats.timer(group, 7 * 86_400)
    await telling.read("Mei")
    telling.wait(20 * MINUTE)
    for text in (
        "星期六早上七點在車站見，好嗎？ 도착하면 전화해요.",
        "שבת שלום! נתראה בתחנה, and مرحبا to your mother",
        "👩‍👩‍👧‍👦 🇨🇭 🧗🏽‍♀️ e\u0301 A\u030a \u2468 \uff26\uff55\uff4c\uff4c",
        "Here is the file: map_\u202egnp.exe\u202c and a pay\u200bpal address",
        f"The tides for two days, for whoever wants to swim:\n{TIDES}",
    ):
        await telling.say("Mei", "Mei", text)
    await telling.say("Alice", "Mei", "Thank you, that is plenty.", reply_to="星期六")
    await telling.read("Mei")


async def _strangers_ask(telling: Telling) -> None:
    alice = NUMBERS["Alice"].e164
    parcel = telling.desks["Parcel"]
    chat = await parcel.chats.direct(alice)
    await parcel.messages.send(chat.group, "Your parcel is held. Pay 1.99 at https://parcel.example")
    await parcel.messages.send(chat.group, "This is your last reminder.")
    await telling.read("Parcel")
    telling.wait(HOUR)
    await telling.desks["Prizes"].chats.create("You have won", [alice])
    await telling.read("Prizes")


async def _tuesday_morning(telling: Telling) -> None:
    """Alice is away while three people write, and reads it hours later."""
    telling.wait(14 * HOUR)
    for name, chat, text in (
        ("Ravi", "Climbing", "Good morning. The bus leaves at seven."),
        ("Clinic", "Clinic", "Your appointment has moved to Thursday, 10:20. Please confirm."),
    ):
        desk = telling.desks[name]
        await desk.device.sync()
        await desk.messages.send(telling.show.groups[chat], text)
        await desk.device.sync()
    telling.wait(2 * HOUR)
    await telling.read()
    await telling.say("Alice", "Climbing", "I would rather go by car.\nMore room for the ropes.")
    telling.wait(MINUTE)
    await telling.say("Alice", "Ravi", "Did you get my spare helmet?")
    await telling.read("Ravi", "Mei", "Priya")
    await telling.alice.device.sync()
    for group in telling.show.groups.values():
        rows = await telling.alice.messages.page(group)
        if rows:
            await telling.alice.chats.read(group, rows[-1].row)
    await telling.alice.chats.draft(telling.show.groups["Clinic"], "Thursday is fine, could it be a little")
    await telling.alice.chats.pin(telling.show.groups["Mum"], True)


async def _tuesday_evening(telling: Telling) -> None:
    """What Alice has not seen yet."""
    left = START + 26 * HOUR - int(telling.show.world.clock())
    telling.wait(left)
    await telling.say("Mum", "Mum", "Are you eating properly?")
    await telling.say("Mum", "Mum", "See you at six on Sunday.")
    telling.wait(4 * MINUTE)
    await telling.say("Ravi", "Climbing", f"Meet at the station at six, @{NUMBERS['Alice'].e164}?")
    telling.wait(MINUTE)
    await telling.say("Mei", "Climbing", "The rope is in my car.", reply_to="Meet at the station")
    telling.wait(2 * MINUTE)
    await telling.jo_sends("Climbing", "I have the topo.")
    await telling.jo_sends_bare("Climbing", "Quick, send me the code for the hut.")
    await telling.read(*KNOWN)


SCENES = (
    _everybody_is_known,
    _a_street_party_ends,
    _chats_are_put_away,
    _climbers_plan,
    _jo_tries_everything,
    _a_number_is_blocked,
    _files_are_sent,
    _mei_writes_in_many_scripts,
    _strangers_ask,
    _tuesday_morning,
    _tuesday_evening,
)


def _mountain() -> bytes:
    """A picture of a mountain, as PNG."""
    image = Image.new("RGB", (240, 160), "#8fb8de")
    drawing = ImageDraw.Draw(image)
    drawing.ellipse((176, 18, 208, 50), fill="#f6e27f")
    drawing.polygon([(0, 160), (92, 34), (178, 160)], fill="#5b6472")
    drawing.polygon([(92, 34), (70, 65), (88, 60), (98, 72), (112, 63)], fill="#f4f6f8")
    drawing.polygon([(110, 160), (180, 84), (240, 160)], fill="#414a57")
    drawing.rectangle((0, 146, 240, 160), fill="#3f6b43")
    with io.BytesIO() as png:
        image.save(png, "PNG")
        return png.getvalue()
