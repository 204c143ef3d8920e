"""The small questions: the first Enter is harmless, Esc is no answer."""

import pytest

from client.tui.screens.ask import Confirm, Prompt
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
