"""The passphrase of an account that is not open: wrong ones are said to be so, giving up is possible."""

from pathlib import Path
from typing import Any

from textual.app import App

from client.storage.home import Home
from client.tui.screens.unlock import UnlockScreen
from tests.client.conftest import ALICE, PASSPHRASE, World
from tests.client.tui.screens.first_run_scene import Person
from tests.client.tui.shell_scene import until


class Locked(App[None]):
    """An app with nothing but the question in it."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self.answers: list[str | None] = []
        self._home = home

    def on_mount(self) -> None:
        self.push_screen(UnlockScreen(self._home), self.answers.append)


async def test_a_wrong_passphrase_is_said_to_be_so_and_the_right_one_is_the_answer(world: World) -> None:
    await world.enrol(ALICE)
    app = Locked(world.home(ALICE))
    async with app.run_test(size=(60, 16)) as pilot:
        person: Person = Person(pilot)
        await person.sees("The passphrase of this account")
        await person.types("wrong")
        await person.presses("enter")
        await person.sees("The passphrase does not open this account. Try the passphrase again.")
        assert "•" not in person.screen
        await person.types(PASSPHRASE)
        assert PASSPHRASE not in person.screen
        await person.presses("enter")
        await until(pilot, lambda: app.answers, "an answer")
    assert app.answers == [PASSPHRASE]


async def test_a_key_file_that_cannot_be_read_is_told(world: World) -> None:
    await world.enrol(ALICE)
    Home(world.home(ALICE)).key_file.write_text("{}")
    await _told(Locked(world.home(ALICE)), "cannot be read as a key file")


async def test_giving_up_is_an_answer(world: World) -> None:
    await world.enrol(ALICE)
    app = Locked(world.home(ALICE))
    async with app.run_test() as pilot:
        await Person(pilot).sees("The passphrase of this account")
        await Person(pilot).presses("escape")
        await until(pilot, lambda: app.answers, "an answer")
    assert app.answers == [None]


async def _told(app: App[Any], words: str) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        person = Person(pilot)
        await person.sees("The passphrase of this account")
        await person.types("x")
        await person.presses("enter")
        await person.sees(words)
