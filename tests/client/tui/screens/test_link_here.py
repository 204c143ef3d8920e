"""The first run of a second device by its screen alone: to the chats, away and back, and every way it can end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import keyring
import pytest
from keyring.backends import fail

from client.credentials.link_code import LinkCode, parse_link_code
from client.desk.desk import Desk
from client.desk.device_views import LinkView
from client.session import Session
from client.storage.home import Home
from client.storage.keys import create_key
from client.tui.screens.welcome import ELSEWHERE
from tests.client.conftest import ALICE, AUTHORITY, BOB, CHEAP, PASSPHRASE, World
from tests.client.test_linking import Held, desk_of, until
from tests.client.tui.screens.first_run_scene import FirstRun, Person
from tests.client.tui.screens.test_welcome import Drawer
from tests.client.tui.shell_scene import until as holds

SIZES = [(60, 16), (80, 24), (120, 40)]
NUMBER = str(ALICE).replace("\u00a0", " ")


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())


class NewDevice(Person):
    """Sits before a device that is to be linked."""

    def __init__(self, app: FirstRun, pilot: object, home: Path) -> None:
        super().__init__(pilot)  # type: ignore[arg-type]
        self.app = app
        self.home = Home(home)

    async def to_code(self) -> None:  # type: ignore[override]
        """Choose the second way on."""
        await self.sees(ELSEWHERE)
        await self.presses("tab", "enter")
        await self.sees("▸ 1 Code")

    async def meets(self, code: str) -> None:
        """Give the code that the other device shows."""
        await self.types(code)
        await self.presses("enter")

    async def to_question(self, desk: Desk, code: str) -> LinkView:
        """Compare, and have it agreed on the other device."""
        await self.meets(code)
        comparing = await until(desk, "comparing", "ended")
        await self.sees(f"Does the other device show {comparing.comparison}?")
        await desk.devices.agree(True)
        await self.sees("Press y or n.")
        return comparing

    async def to_keep(self, desk: Desk, code: str) -> None:  # type: ignore[override]
        await self.to_question(desk, code)
        await self.presses("y")
        await self.sees("▸ 3 Keep")

    async def is_back_at_the_code(self) -> None:
        """Nothing is left of the attempt, and another can begin."""
        await self.sees("▸ 1 Code")
        left = {file.name for file in self.home.folder.iterdir()} if self.home.folder.exists() else set()
        assert left <= {"lock"}


@asynccontextmanager
async def sitting(
    world: World,
    home: Path,
    size: tuple[int, int] = (80, 24),
    authority: str = AUTHORITY,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[NewDevice]:
    app = FirstRun(world, home, authority=authority, transport=transport)
    async with app.run_test(size=size) as pilot:
        yield NewDevice(app, pilot, home)


@pytest.fixture
async def alice(world: World, stack: AsyncExitStack) -> Session:
    session, _ = await world.people(stack, ALICE, BOB)
    await session.create_chat("plans", [BOB])
    return session


@pytest.fixture
def tablet(tmp_path: Path) -> Path:
    return tmp_path / "tablet"


def other(code: LinkCode) -> str:
    return LinkCode((*code.symbols[:-1], code.symbols[-1] ^ 1)).text


@pytest.mark.parametrize("size", SIZES)
async def test_the_screen_alone_leads_into_the_chats(
    world: World, alice: Session, tablet: Path, size: tuple[int, int]
) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    async with sitting(world, tablet, size) as person:
        await person.to_code()
        await person.meets(shown.code.lower().replace("-", " "))
        comparing = await until(desk, "comparing")
        await person.sees("▸ 2 Compare")
        await person.sees(comparing.comparison)
        await person.sees("Waiting for the answer on the other device")
        await person.presses("y")  # which answers nothing before it was agreed there
        await desk.devices.agree(True)
        await person.sees(f"Have {NUMBER}, certified by {AUTHORITY}, on this device?")
        await person.presses("enter")  # which is no answer
        assert not person.home.key_file.exists(), "nothing is stored before the person has agreed"
        await person.presses("y")
        await person.sees("▸ 3 Keep")
        await person.keeps("correct horse battery")
        await person.sees("is ready on this device, in 1 chat.")
        await person.presses("enter")
        await holds(person.pilot, lambda: person.app.answered, "an answer")
    assert person.app.return_value == "correct horse battery"
    assert (await until(desk, "done", "ended")).state == "done"
    async with Session.open(tablet, "correct horse battery", clock=world.clock, transport=world.network) as session:
        assert [chat.name for chat in await session.chats()] == ["plans"]


async def test_the_text_of_the_qr_code_brings_the_address_with_it(world: World, alice: Session, tablet: Path) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    async with sitting(world, tablet, authority="http://elsewhere.test") as person:
        await person.to_code()
        await person.types(shown.uri)
        await person.sees("✓ A whole code.")
        assert AUTHORITY in person.screen
        assert "http://elsewhere.test" not in person.screen
        await person.presses("enter")
        assert (await until(desk, "comparing", "ended")).state == "comparing"
        await person.presses("escape")
        await person.sees("You have cancelled it")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "This is no code for linking a device"),
        ("hello", "This is no code for linking a device, which has 18 letters and digits."),
        ("0000-0000-0000-0000-01", "A character of the code is wrong, or two are swapped."),
        ("ringtrue:+12025550142", "This address is none for linking a device."),
    ],
)
async def test_what_is_no_code_is_told_before_anybody_is_asked(
    world: World, tablet: Path, typed: str, words: str
) -> None:
    world.network.down.add("authority.test")
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.meets(typed)
        await person.sees(words)
        await person.sees("Look at the code on the other device and type it again")
        assert typed in person.screen


async def test_a_wrong_code_stays_to_be_corrected(world: World, alice: Session, tablet: Path) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    wrong = other(parse_link_code(shown.uri))
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.meets(wrong)
        await person.sees("There is no such code: each is good for ten minutes and for one device.")
        await person.sees("Compare the code, and the authority's address, with what the other device shows")
        assert wrong in person.screen
        await person.is_back_at_the_code()
        await person.clears()
        await person.to_question(desk, shown.code)
        await person.presses("escape")
        await person.sees("You have cancelled it")


async def test_an_authority_that_cannot_be_reached_can_be_tried_again_with_the_same_code(
    world: World, alice: Session, tablet: Path
) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    world.network.down.add("authority.test")
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.meets(shown.code)
        await person.sees("https://authority.test cannot be reached")
        await person.sees("Check the network and the service's address")
        await person.is_back_at_the_code()
        world.network.down.clear()
        await person.presses("enter")
        assert (await until(desk, "comparing", "ended")).state == "comparing"
        await person.sees("▸ 2 Compare")


async def test_the_person_says_no_on_the_other_device(world: World, alice: Session, tablet: Path) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.meets(shown.code)
        await until(desk, "comparing")
        await desk.devices.agree(False)
        await person.sees("the person said no on the device that has the number")
        await person.sees("Begin again on the device that has the number: /devices")
        await person.is_back_at_the_code()
        assert shown.code not in person.screen, "a used code is of no use"


async def test_it_is_cancelled_on_the_other_device(world: World, alice: Session, tablet: Path) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    await desk.devices.cancel()
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.meets(shown.code)
        await person.sees("This code is used up, or was cancelled on the other device.")
        await person.is_back_at_the_code()


async def test_another_number_is_refused_here_and_nothing_is_changed(
    world: World, alice: Session, tablet: Path
) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.to_question(desk, shown.code)
        await person.presses("n")
        await person.sees("Nothing was changed.")
        await person.is_back_at_the_code()
    assert "said no on the new device" in (await until(desk, "ended")).why
    assert len(await alice.devices.held()) == 1


@pytest.mark.parametrize("step", ["compare", "question", "keep"])
@pytest.mark.parametrize("key", ["escape", "ctrl+q"])
async def test_at_every_step_it_can_be_left_and_both_ways_on_are_open(
    world: World, alice: Session, tablet: Path, step: str, key: str
) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    async with sitting(world, tablet) as person:
        await person.to_code()
        if step == "compare":
            await person.meets(shown.code)
            await person.sees("▸ 2 Compare")
        else:
            await (person.to_question if step == "question" else person.to_keep)(desk, shown.code)
        await person.presses(key)
        if key == "escape":
            await person.sees("the other device was told, and nothing was kept.")
            await person.is_back_at_the_code()
    if step == "compare":
        await until(desk, "comparing")
        await desk.devices.agree(True)
    ended = await until(desk, "ended")
    assert ended.error in ("link-ended", "link-slot-taken")
    assert len(await alice.devices.held()) == 1
    async with sitting(world, tablet) as person:
        await Person.to_code(person, BOB.e164)
        await person.presses("escape", "escape")
        await person.to_code()
        await person.to_keep(desk, (await desk.devices.link()).code)
        await person.keeps(PASSPHRASE)
        await person.sees("is ready on this device, in 1 chat.")
        assert not person.home.enrolment.exists()


async def test_escape_at_the_code_leads_to_the_welcome(world: World, tablet: Path) -> None:
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.presses("escape")
        await person.sees("Begin")
        await person.presses("shift+tab")
        await Person.to_code(person, ALICE.e164)


async def test_a_delivery_service_that_is_away_before_anything_is_stored_leaves_nothing(
    world: World, alice: Session, tablet: Path
) -> None:
    desk = desk_of(alice, world)
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.to_keep(desk, (await desk.devices.link()).code)
        world.network.down.add("delivery.test")
        await person.keeps(PASSPHRASE)
        await person.sees("https://delivery.test cannot be reached")
        await person.is_back_at_the_code()
    assert (await until(desk, "ended")).hint


async def test_a_delivery_service_that_goes_away_once_all_is_stored_costs_nothing(
    world: World, alice: Session, tablet: Path
) -> None:
    desk = desk_of(alice, world)
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.to_keep(desk, (await desk.devices.link()).code)
        gone = asyncio.create_task(_gone_once_stored(world, person))
        await person.keeps(PASSPHRASE)
        await gone
        await person.sees("Go on to the chats")
        await person.presses("enter")
        await holds(person.pilot, lambda: person.app.answered, "an answer")
    world.network.down.clear()
    async with Session.open(tablet, PASSPHRASE, clock=world.clock, transport=world.network, jitter=0) as session:
        await session.maintain()
        world.clock.now += 3601
        await alice.sync()
        await session.receive()
        assert len(await session.chats()) == 1


async def test_who_does_not_wait_for_the_chats_comes_into_them_later(
    world: World, alice: Session, tablet: Path
) -> None:
    desk = desk_of(alice, world)
    held = Held(world.network, "/v1/key-packages")
    async with sitting(world, tablet, transport=held) as person:
        await person.to_code()
        await person.to_keep(desk, (await desk.devices.link()).code)
        await person.keeps(PASSPHRASE)
        await held.reached.wait()
        await person.sees("You need not wait: what is left to do is done by itself.")
        await person.presses("escape")  # there is nothing to take back any more
        await person.sees("▸ 4 Chats")
        await person.presses("enter")
        await holds(person.pilot, lambda: person.app.answered, "an answer")
    async with Session.open(tablet, PASSPHRASE, clock=world.clock, transport=world.network, jitter=0) as session:
        await session.maintain()
        await alice.linking.close()
        world.clock.now += 3601
        await alice.sync()
        await session.receive()
        assert len(await session.chats()) == 1


async def _gone_once_stored(world: World, person: NewDevice) -> None:
    while not person.home.anchors.exists():
        await asyncio.sleep(0)
    world.network.down.add("delivery.test")


async def test_a_store_that_an_earlier_attempt_left_takes_its_own_passphrase(
    world: World, alice: Session, tablet: Path
) -> None:
    desk = desk_of(alice, world)
    home = Home(tablet)
    home.create()
    create_key(home, PASSPHRASE, CHEAP)
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.to_keep(desk, (await desk.devices.link()).code)
        await person.keeps("another")
        await person.sees("An earlier attempt began a store under another passphrase.")
        for field in ("#passphrase", "#again"):
            person.pilot.app.screen.query_one(field).focus()
            await person.clears()
            await person.types(PASSPHRASE)
        await person.presses("enter")
        await person.sees("is ready on this device, in 1 chat.")


async def test_a_keyring_is_offered_where_there_is_one(
    world: World, alice: Session, tablet: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", Drawer())
    desk = desk_of(alice, world)
    async with sitting(world, tablet) as person:
        await person.to_code()
        await person.to_keep(desk, (await desk.devices.link()).code)
        await person.pilot.click("#keyring")
        await person.sees("is ready on this device, in 1 chat.")
        await person.presses("enter")
        await holds(person.pilot, lambda: person.app.answered, "an answer")
    assert person.app.return_value is None
    async with Session.open(tablet, None, clock=world.clock, transport=world.network) as session:
        assert session.account.number == ALICE


async def test_a_folder_with_an_account_is_not_asked_for_anything(world: World, alice: Session) -> None:
    desk = desk_of(alice, world)
    shown = await desk.devices.link()
    async with sitting(world, world.home(BOB)) as person:
        await person.to_code()
        await person.meets(shown.code)
        await person.sees("is in use by process")
    assert (await desk.devices.linking()).state == "waiting"
