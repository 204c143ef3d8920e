"""The first run in line mode: with a number and a code, linked by another device, and every way back."""

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import keyring
import pytest
import pytest_asyncio
from keyring.backends import fail

from client.desk.desk import open_desk
from client.desk.device_views import LinkView
from client.plain.first_run import first_run
from client.plain.paper import EndedError, Paper
from client.storage.home import Home
from lab.world import World
from tests.client.plain.plain_scene import ALICE, BOB, PASSPHRASE, PATIENCE, Keyboard, Person, people

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world() -> AsyncIterator[World]:
    async with World() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def alice(world: World) -> AsyncIterator[Person]:
    async with people(world, ALICE, BOB) as (person, bob):
        await bob.desk.people.know(ALICE.e164)
        await person.desk.chats.create("plans", [BOB.e164])
        yield person


@asynccontextmanager
async def sitting(world: World, home: Path) -> AsyncIterator[tuple[Keyboard, "asyncio.Task[str | None]"]]:
    """Sit before the first run of a new folder."""
    source, typing = os.pipe()
    hearing, sink = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(hearing, "rb", 0)
    )
    with os.fdopen(sink, "w", encoding="utf-8") as output:
        task = asyncio.create_task(_run(world, home, source, output))
        try:
            yield Keyboard(typing, reader), task
        finally:
            os.close(typing)
            await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), PATIENCE)
            os.close(source)
            transport.close()


async def _run(world: World, home: Path, source: int, output: io.TextIOBase) -> str | None:
    paper = Paper(source, output)  # type: ignore[arg-type]
    with paper.reading():
        return await first_run(paper, home, world.authority_url, world.delivery_url, None)


async def until(person: Person, *states: str) -> LinkView:
    view = await person.desk.devices.linking()
    while view.state not in states:
        view = await person.desk.devices.linking(view.step)
    return view


async def to_question(alice: Person, keys: Keyboard, code: str) -> None:
    """Give the code, compare, and have it agreed on the other device."""
    keys.type(code, "", "my tablet")
    said = await keys.hears("The digits here: ")
    comparing = await until(alice, "comparing")
    assert said.endswith(comparing.comparison)
    assert comparing.name == "my tablet"
    await keys.hears("Then agree there")
    await alice.desk.devices.agree(True)


def left(home: Path) -> set[str]:
    return {file.name for file in home.iterdir()} if home.exists() else set()


async def test_a_number_and_a_code_lead_to_an_account(world: World, tmp_path: Path) -> None:
    number = "+12025550149"
    async with sitting(world, tmp_path / "home") as (keys, task):
        await keys.hears("Then write link instead of a number.")
        keys.type(number, "", "", "yes")
        await keys.hears("a code of 6 digits was sent")
        keys.type(next(code for each, code in world.codes.codes.items() if each.e164 == number))
        await keys.hears("Step 4 of 4")
        keys.type(PASSPHRASE, PASSPHRASE)
        await keys.hears("Stored.")
        assert await task == PASSPHRASE


async def test_another_device_links_this_one(world: World, alice: Person, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with sitting(world, home) as (keys, task):
        keys.type("link")
        await keys.hears("On the device that has your number, open /devices")
        shown = await alice.desk.devices.link()
        await to_question(alice, keys, shown.code.lower())
        keys.type("yes", PASSPHRASE, PASSPHRASE)
        await keys.hears(f"Have {ALICE}, certified by {world.authority_url}, on this device?")
        await keys.hears("Coming into the chats.")
        await keys.hears("is ready on this device, in 1 chat.")
        assert await task == PASSPHRASE
    async with open_desk(home, PASSPHRASE, clock=world.clock, jitter=0) as desk:
        assert [chat.chat for chat in await desk.chats.all()] == ["plans"]
        there = Person(desk, home, tmp_path)
        said = await there.visit()
        assert not [line for line in said if "Whom do you want to write to?" in line]


async def test_what_is_wrong_is_told_and_asked_again_and_back_leads_to_the_number(
    world: World, alice: Person, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    async with sitting(world, home) as (keys, task):
        keys.type("link", "hello")
        await keys.hears("Error: this is no code for linking a device")
        keys.type("0000-0000-0000-0000-00", "", "")
        await keys.hears("Error: there is no such code")
        await keys.hears("have it show a new code: /devices")
        keys.type("0000-0000-0000-0000-00", "http://127.0.0.1:1", "")
        await keys.hears("cannot be reached")
        shown = await alice.desk.devices.link()
        await to_question(alice, keys, shown.uri)
        keys.type("no")
        await keys.hears("Error: nothing was changed")
        assert (
            await until(alice, "ended")
        ).why == "the other device has ended this: the person said no on the new device"
        keys.type("back")
        await keys.hears("Step 1 of 4: your number.")
        assert left(home) <= {"lock"}
    with pytest.raises(EndedError):
        await task


async def test_the_person_says_no_on_the_other_device(world: World, alice: Person, tmp_path: Path) -> None:
    async with sitting(world, tmp_path / "home") as (keys, _task):
        keys.type("link")
        keys.type((await alice.desk.devices.link()).code, "", "")
        await until(alice, "comparing")
        await alice.desk.devices.agree(False)
        await keys.hears("the person said no on the device that has the number")
        await keys.hears("Begin again on the device that has the number: /devices")
        keys.type("back")
        await keys.hears("Step 1 of 4: your number.")


@pytest.mark.parametrize("ends", ["the input ends", "it is interrupted"])
@pytest.mark.parametrize("step", ["compare", "agree", "passphrase"])
async def test_who_leaves_midway_leaves_nothing_and_the_other_device_is_told(
    world: World, alice: Person, tmp_path: Path, ends: str, step: str
) -> None:
    home = tmp_path / "home"
    async with sitting(world, home) as (keys, task):
        keys.type("link")
        code = (await alice.desk.devices.link()).code
        if step == "compare":
            keys.type(code, "", "")
            await keys.hears("Waiting for the answer on the other device.")
        else:
            await to_question(alice, keys, code)
            if step == "passphrase":
                keys.type("yes", PASSPHRASE)
                await keys.hears("Choose a passphrase")
        if ends == "it is interrupted":
            task.cancel()
            await asyncio.wait((task,))
        elif step == "compare":
            await until(alice, "comparing")
            await alice.desk.devices.agree(True)
    if step == "compare" and ends == "it is interrupted":
        await until(alice, "comparing")
        await alice.desk.devices.agree(True)
    assert (await until(alice, "ended")).hint
    assert left(home) <= {"lock"}
    assert not Home(home).key_file.exists()
