"""The screen of the demo: the story told by itself, the menu, pausing, quitting, at each size and in each theme."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from client.config import Config, ThemeName
from identity.number import TelephoneNumber
from lab.attacks import body_swap, forged_number, removed_member
from lab.attacks.catalogue import ATTACKS
from lab.attacks.outcome import Outcome
from lab.demo import Programme
from lab.show import board
from lab.show.app import TITLE_WORDS, ShowApp
from lab.show.menu import Menu
from lab.show.pace import Pace
from lab.show.scene import Act, Scene
from lab.story import Attacking, Attempted, Defence, Struck, Tally, WaveBegins
from lab.wave import PEOPLE, WAVE

SIZES = [(80, 24), (140, 40)]
THEMES: list[ThemeName] = ["dark", "light", "ansi"]
LOOKS = 1200  # at the screen, until a test gives up


@asynccontextmanager
async def showing(
    programme: Programme, size: tuple[int, int] = SIZES[0], theme: ThemeName = "dark", pace: Pace | None = None
) -> AsyncIterator[tuple[ShowApp, Pilot[bool]]]:
    app = ShowApp(programme, replace(Config(), theme=theme), pace or Pace(fixed=0))
    async with app.run_test(size=size) as pilot:
        yield app, pilot


def text(app: ShowApp) -> str:
    """What can be read on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[bool], holds: Callable[[], bool]) -> None:
    for _ in range(LOOKS):
        if holds():
            return
        await pilot.pause(0.05)
    assert isinstance(pilot.app, ShowApp)
    raise AssertionError(text(pilot.app))


async def shows(pilot: Pilot[bool], app: ShowApp, *words: str) -> str:
    await until(pilot, lambda: all(each in text(app) for each in words))
    return text(app)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_an_attack_is_seen_from_both_sides(size: tuple[int, int], theme: ThemeName) -> None:
    async with showing(Programme(attacks=[forged_number.ATTACK], wave=False), size, theme) as (app, pilot):
        await pilot.press("space")
        while app.scene.outcome is None:
            await pilot.press("n")
        seen = await shows(pilot, app, "PAUSED", "PROOF FAILED", "stopped by check 6 (number)")
        assert TITLE_WORDS in seen
        assert "ATTACKER  Mallory  +1 202-555-0199" in seen
        assert "VICTIMS" in seen
        assert re.search(r"✗ +6 number", seen)
        assert re.search(r"✓ +5 chain", seen)
        assert re.search(r"- +7 constraints", seen)
        assert "6 passed, 1 FAILED, 8 not reached" in seen
        assert "its words are held back" in seen
        await pilot.press("q")
    assert app.return_value is True


async def test_unattended_it_runs_to_the_end_and_says_that_all_is_well() -> None:
    async with showing(Programme(attacks=[body_swap.ATTACK], wave=True)) as (app, pilot):
        await until(pilot, lambda: app.scene.finished is not None)
        await until(pilot, lambda: not app.is_running)
    assert app.return_value is True
    finished = app.scene.finished
    assert finished is not None
    assert [(wave.defence, wave.tally.saw[-1]) for wave in finished.waves] == [
        (Defence.NONE, len(PEOPLE)),
        (Defence.ADMISSION, len(PEOPLE)),
        (Defence.REPORTS, 3),
    ]


async def test_two_attacks_are_chosen_from_the_menu_while_the_story_waits() -> None:
    async with showing(Programme(attacks=[forged_number.ATTACK], wave=False), pace=Pace(fixed=60)) as (app, pilot):
        await shows(pilot, app, "Opening")
        for attack in (body_swap.ATTACK, removed_member.ATTACK):
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, Menu))
            menu = app.screen.query_one(OptionList)
            menu.highlighted = menu.get_option_index(attack.name)
            seen = await shows(pilot, app, attack.name, str(attack.guard))
            assert attack.title in seen
            await pilot.press("enter")
            await until(pilot, lambda attack=attack: attack.name in app.scene.attempts)
            await shows(pilot, app, "Chosen", attack.guard.rule, "PAUSED", "stopped by")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        assert f"✓ {removed_member.ATTACK.title}" in text(app)
        await pilot.press("escape", "q")
    assert app.return_value is True


async def test_the_menu_has_every_attack_and_the_wave() -> None:
    async with showing(Programme(attacks=[], wave=False), pace=Pace(fixed=60)) as (app, pilot):
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        options = app.screen.query_one(OptionList).options
        assert [option.id for option in options] == [*(attack.name for attack in ATTACKS), WAVE]
        await pilot.press("q")
    assert app.return_value is True


async def test_the_wave_can_be_chosen() -> None:
    async with showing(Programme(attacks=[], wave=False)) as (app, pilot):
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await pilot.press("end", "enter")
        for row in (
            r"\+ reports +10 +0 +3 +7 +1 +7 +[▁▂▃▄▅▆▇█]{10} 3",
            r"admission +10 +0 +10 +0 +0 +0 +[▁▂▃▄▅▆▇█]{10} 10",
            r"no defence +10 +10 +0 +0 +0 +0 +[▁▂▃▄▅▆▇█]{10} 10",
            r"Jun +✓ HELD BACK +was reported",
            r"Cleo +~ REQUEST +⚑ reports it",
            r"Ada +~ REQUEST +number only",
        ):
            await until(pilot, lambda row=row: re.search(row, text(app)) is not None)
        await pilot.press("q")
    assert app.return_value is True


async def test_it_can_be_left_at_once() -> None:
    async with showing(Programme(), pace=Pace(fixed=60)) as (app, pilot):
        await pilot.press("q")
    assert app.return_value is True


async def test_no_attack_means_a_clean_story_that_stays_when_it_was_touched() -> None:
    async with showing(Programme(attacks=[forged_number.ATTACK], wave=False), pace=Pace(fixed=0.01)) as (app, pilot):
        await pilot.press("n")
        await until(pilot, lambda: app.scene.finished is not None)
        assert "The end" in await shows(pilot, app, "The end", "1 attack refused")
        assert app.is_running
        await pilot.press("q")
    assert app.return_value is True


def test_an_attack_that_got_through_makes_it_fail() -> None:
    app = ShowApp(Programme(), Config(), Pace())
    assert app.as_it_must
    app.scene.end_alone(forged_number.ATTACK, Outcome(None, "shown as verified", "✓ NUMBER VERIFIED"))
    app.scene.settle()
    assert not app.as_it_must


def test_a_scene_counts_only_what_happened() -> None:
    scene = Scene()
    scene.take(Attacking(1, 2, forged_number.ATTACK))
    assert (scene.act, scene.step, scene.held, scene.unheld) == (Act.ATTACK, "Attack 1 of 2", 0, 0)
    scene.take(WaveBegins(Defence.NONE, TelephoneNumber.from_digits("12025550190"), 10))
    scene.take(Struck(Defence.NONE, "Ada", "inbox", "words", "", Tally(1, 1, saw=(1,))))
    assert (scene.act, scene.tallies[Defence.NONE].inbox, len(scene.struck)) == (Act.WAVE, 1, 1)


async def test_pausing_holds_and_stepping_moves_on() -> None:
    pace = Pace(fixed=0)
    pace.toggle()
    pace.step()
    await pace.rest(1)
    assert pace.paused
    pace.toggle()
    await pace.rest(1)


@pytest.mark.parametrize(("width", "done"), [(78, 0), (78, len(ATTACKS)), (40, 0), (40, 30), (40, len(ATTACKS))])
def test_the_scoreboard_has_a_sign_for_each_attack_as_far_as_there_is_room(width: int, done: int) -> None:
    attempts = {attack.name: Attempted(1, attack, Outcome(attack.guard, "")) for attack in ATTACKS[:done]}
    strip = board.lines(Scene(planned=ATTACKS, attempts=attempts), width)[1].plain
    assert len(strip) == min(width, len(ATTACKS))
    assert ("✓" in strip) is (done > 0)
    assert ("-" in strip) is (done < len(ATTACKS))
    assert board.lines(Scene(planned=ATTACKS[:3]), width)[1].plain == "attacks ---"
