"""The small questions: the first Enter is harmless, Esc is no answer."""

import pytest
from textual.widgets import Button

from client.tui.screens.ask import Confirm, Prompt
from client.tui.screens.members import MembersScreen
from tests.client.tui.screens.sheet_scene import SIZES, seated
from tests.client.tui.shell_scene import Scene


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(["enter"], False), (["escape"], False), (["right", "enter"], True), (["tab", "enter"], True)],
)
async def test_yes_takes_a_step(scene: Scene, keys: list[str], answer: bool) -> None:
    async with seated(scene) as alice:
        await alice.show(Confirm("Remove?", "They can read nothing more.", "Remove"))
        await alice.sees("They can read nothing more.")
        await alice.press(*keys)
        await alice.until(lambda: alice.answer, "it was answered")
        assert alice.answer == [answer]


@pytest.mark.parametrize(("keys", "answer"), [(["enter"], "Ravi"), (["k", "enter"], "Ravik"), (["escape"], None)])
async def test_a_text_is_given_or_not(scene: Scene, keys: list[str], answer: str | None) -> None:
    async with seated(scene) as alice:
        await alice.show(Prompt("Name", "Your own name:", "Ravi"))
        await alice.sees("Your own name:")
        await alice.press(*keys)
        await alice.until(lambda: alice.answer, "it was answered")
        assert alice.answer == [answer]


@pytest.mark.parametrize("size", SIZES)
async def test_long_words_are_whole_and_markup_is_text(scene: Scene, size: tuple[int, int]) -> None:
    words = "[bold]not bold[/bold] and [@click=app.quit]a trap[/] in a sentence that is longer than a row of any window"
    async with seated(scene, size) as alice:
        await alice.show(Confirm("A [title]", words, "Do [it]"))
        await alice.sees(words)
        for shown in ("A [title]", "Do [it]", "Cancel"):
            assert shown in alice.text


@pytest.mark.parametrize("key", ["escape", "left"])
async def test_a_key_that_comes_before_a_question_is_drawn_waits_for_it(scene: Scene, key: str) -> None:
    async with seated(scene) as alice:
        answers: list[bool | None] = []
        alice.app.push_screen(Confirm("Remove?", "They can read nothing more.", "Remove"), answers.append)
        alice.app.simulate_key(key)
        if key != "escape":
            alice.app.simulate_key("escape")
        await alice.until(lambda: answers, "it was answered")
        assert answers == [False]
        assert alice.app.screen is alice.app.main


async def test_a_second_answer_closes_nothing_else(scene: Scene) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        members = MembersScreen(chat.group)
        await alice.show(members)
        await alice.sees("2 devices")
        await alice.misses("Looking")
        await alice.press("b")
        await alice.sees("Cancel")
        asked = alice.app.screen
        button = asked.query_one("#no", Button)
        button.press()
        button.press()  # as a key does that is held for too long
        await alice.until(lambda: alice.app.screen is not asked, "it was answered")
        await alice.pilot.pause()
        assert alice.app.screen is members


async def test_an_answer_from_below_another_sheet_closes_that_one_last(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(Prompt("Name", "Your own name:", "Ravi"))
        below = alice.app.screen
        answers = alice.answer
        await alice.show(Confirm("Remove?", "They can read nothing more.", "Remove"))
        await alice.sees("They can read nothing more.")
        below.dismiss("Ravi")
        await alice.pilot.pause()
        assert (answers, alice.answer) == ([], [])
        await alice.press("right", "enter")
        await alice.until(lambda: answers, "both were answered")
        assert (answers, alice.answer) == (["Ravi"], [True])


@pytest.mark.parametrize("key", ["x", "m", "c"])
async def test_what_is_asked_of_a_sheet_before_it_is_drawn_fails_nothing(scene: Scene, key: str) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        members = MembersScreen(chat.group)
        alice.app.push_screen(members)
        await alice.app._check_bindings(key)
        await alice.until(lambda: members.is_mounted, "it is drawn")
        await alice.pilot.pause()
        assert alice.app.crash_log is None


async def test_the_program_can_end_while_a_sheet_is_being_drawn(scene: Scene) -> None:
    async with seated(scene) as alice:
        alice.app.push_screen(Confirm("Remove?", "They can read nothing more.", "Remove"))
    assert alice.app.crash_log is None
