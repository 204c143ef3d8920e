"""How every screen looks, in narrow, middling and wide windows, dark and light, over an account in which all happened.

Each look is kept as text below `snapshots/`; one that differs fails with the path of a picture of it, and
`--update-snapshots` keeps it. What is random is masked in its own length (tests/client/tui/snapshots/masked.py).
"""

import gc
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keyring
import pytest
import pytest_asyncio
from keyring.backends import fail
from textual.app import App

from client.config import Config
from client.tui.app import RingtrueApp
from client.tui.screens.welcome import WelcomeScreen
from identity.number import TelephoneNumber
from lab.client_picture import draw
from lab.showcase import Showcase, showcase
from lab.still_world import AUTHORITY, COST, DELIVERY, Line
from tests.client.tui.screens.first_run_scene import Person
from tests.client.tui.snapshots.look import compare
from tests.client.tui.snapshots.masked import MaskedOpening
from tests.client.tui.snapshots.walk import SCENES, Walk

pytestmark = pytest.mark.asyncio(loop_scope="module")
HERE = Path(__file__).parent.resolve() / "snapshots"
WIDTHS = {60: 20, 80: 24, 140: 36}  # and heights
WINDOWS = [pytest.param(width, theme, id=f"{width}-{theme}") for width in WIDTHS for theme in ("dark", "light")]


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder to be in, so that no path that is shown depends on the machine, the time of London, and no keyring."""
    folder = tmp_path_factory.mktemp("showcase")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in (
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("TZ", "UTC"),
            ("RINGTRUE_CONFIG", "config.toml"),
            ("LC_ALL", "C.UTF-8"),
        ):
            patch.setenv(name, value)
        patch.delenv("NO_COLOR", raising=False)
        patch.setattr(keyring.core, "_keyring_backend", fail.Keyring())
        time.tzset()
        yield folder
    time.tzset()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def show(surroundings: Path) -> AsyncIterator[Showcase]:
    async with showcase(Path()) as told:
        shutil.copytree(told.world.home("Alice"), "alice-as-told")
        gc.collect()
        gc.freeze()  # what lives until the end is not looked through over and over, a sixth of the time
        yield told
        gc.unfreeze()


@pytest.fixture
def keep(
    request: pytest.FixtureRequest, subtests: pytest.Subtests, width: int, theme: str
) -> Callable[[str, str], None]:
    """Compares a look with the one that is kept."""
    update = request.config.getoption("--update-snapshots")

    def kept(name: str, look: str) -> None:
        with subtests.test(name):
            compare(look, HERE / f"{width}-{theme}" / f"{name}.txt", update=update)

    return kept


def fresh(show: Showcase) -> Line:
    """The account as the story ended, and a connection for it."""
    shutil.rmtree(show.world.home("Alice"))
    shutil.copytree("alice-as-told", show.world.home("Alice"))
    return show.world.line()


def app_of(show: Showcase, line: Line, theme: Any, *, given: bool = True) -> RingtrueApp:
    config = replace(Config(theme=theme), download_folder=show.downloads)
    opening = MaskedOpening(show, line, given)
    return RingtrueApp(show.world.home("Alice"), config, opening=opening, clock=show.world.clock)


@pytest.mark.parametrize(("width", "theme"), WINDOWS)
async def test_every_screen_looks_as_it_was_approved(
    show: Showcase, width: int, theme: str, keep: Callable[[str, str], None]
) -> None:
    line = fresh(show)
    app = app_of(show, line, theme)
    app.animation_level = "none"
    async with app.run_test(size=(width, WIDTHS[width]), notifications=True) as pilot:
        walk = Walk(pilot, show, line, keep)
        for scene in SCENES:
            await scene(walk)


async def test_the_picture_in_the_readme_is_what_the_client_shows(show: Showcase) -> None:
    fresh(show)
    shown = (HERE.parents[3] / "docs" / "client.svg").read_text(encoding="utf-8")
    assert await draw(show) == shown, "python -m lab.client_picture draws it anew"


@pytest.mark.parametrize(("width", "theme"), WINDOWS)
async def test_every_way_into_the_account_looks_as_it_was_approved(
    show: Showcase, width: int, theme: str, keep: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = fresh(show)
    app = app_of(show, line, theme, given=False)
    async with app.run_test(size=(width, WIDTHS[width])) as pilot:
        walk = Walk(pilot, show, line, keep)
        await walk.look("unlock", "passphrase")
        await Person(pilot).types("a guess")
        await pilot.press("enter")
        await walk.look("unlock-wrong", "✗")
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 4242)  # the refusal names who has the account open
        async with show.world.desk("Alice"):
            app = app_of(show, line, theme)
            async with app.run_test(size=(width, WIDTHS[width])) as pilot:
                await Walk(pilot, show, line, keep).look("opening-failed", "✗")


class FirstRun(App[str | None]):
    """An app with nothing but the first run in it, in the client's colours."""

    def __init__(self, show: Showcase, home: Path, theme: Any) -> None:
        from client.tui.themes import use_themes

        super().__init__()
        use_themes(self, theme)
        clock, transport = show.world.clock, show.world.line()
        self.first = partial(
            WelcomeScreen, home, authority=AUTHORITY, delivery=DELIVERY, transport=transport, clock=clock, cost=COST
        )

    def on_mount(self) -> None:
        self.push_screen(self.first())


@pytest.mark.parametrize(("width", "theme"), WINDOWS)
async def test_every_step_of_the_first_run_looks_as_it_was_approved(
    show: Showcase, width: int, theme: str, keep: Callable[[str, str], None], tmp_path: Path
) -> None:
    number = TelephoneNumber.from_digits(f"1202555019{list(WIDTHS).index(width) * 2 + (theme == 'light')}")
    app = FirstRun(show, tmp_path / "new", theme)
    async with app.run_test(size=(width, WIDTHS[width])) as pilot:
        walk, person = Walk(pilot, show, show.world.line(), keep), Person(pilot)
        await walk.look("welcome-about", "Begin")
        await person.to_number()
        await walk.look("welcome-number")
        await person.types(number.e164)
        await pilot.press("enter")
        await person.sees("A code of 6 digits was sent")
        await walk.look("welcome-code")
        await person.types("000000" if show.world.codes.codes[number] != "000000" else "111111")
        await pilot.press("enter")
        await walk.look("welcome-code-wrong", "✗")
        await person.clears()
        await person.types(show.world.codes.codes[number])
        await pilot.press("enter")
        await person.sees("is valid until")
        await walk.look("welcome-certificate")
        await pilot.press("enter")
        await person.sees("The same again")
        await walk.look("welcome-keep")
