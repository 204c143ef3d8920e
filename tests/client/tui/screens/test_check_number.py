"""The check number: equal on both screens, new after every change, with words for both outcomes."""

import pytest

from client.tui.qr import qr_text
from client.tui.screens.check_number import CheckNumberScreen, in_groups
from tests.client.conftest import CAROL
from tests.client.tui.screens.sheet_scene import SIZES, seated
from tests.client.tui.shell_scene import Scene, text_of


@pytest.mark.parametrize("size", SIZES)
async def test_the_digits_are_those_on_the_other_members_screen(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        bob, chat = await alice.ravi()
        theirs = await bob.chats.check_number(chat.group)
        await alice.show(CheckNumberScreen(chat.group))
        await alice.sees(" ".join(in_groups(theirs.digits).split()))
        assert f"epoch {theirs.epoch}" in alice.text
        for words in ("They match", "They differ", "by voice or in person"):
            assert words in alice.text


@pytest.mark.parametrize(("size", "whole"), [((60, 16), False), ((80, 24), True), ((140, 40), True)])
async def test_the_qr_code_is_whole_or_not_there(scene: Scene, size: tuple[int, int], whole: bool) -> None:
    async with seated(scene, size) as alice:
        _, chat = await alice.ravi()
        digits = "".join((await alice.api.chats.check_number(chat.group)).digits.split())
        await alice.show(CheckNumberScreen(chat.group))
        await alice.sees("epoch")
        await alice.misses("Computing")
        code = qr_text(digits).plain.split("\n")
        shown = text_of(alice.app)
        assert all(line.rstrip() in shown for line in code) == whole
        await alice.press("G")
        assert ("need a larger window" in alice.text) != whole


async def test_both_answers_say_what_to_do(scene: Scene) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        await alice.show(CheckNumberScreen(chat.group))
        await alice.sees("epoch")
        await alice.until(lambda: not alice.app.screen.query_one("#match").disabled, "it can be answered")
        await alice.press("tab", "enter")
        await alice.sees("✓ They match.")
        await alice.press("right", "enter")
        await alice.sees("✗ They differ.")
        assert "Write nothing here" in alice.text


async def test_a_change_of_the_group_makes_new_digits_and_says_so(scene: Scene) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        await scene.enrolled(CAROL)
        await alice.show(CheckNumberScreen(chat.group))
        before = in_groups((await alice.api.chats.check_number(chat.group)).digits).split()[0]
        await alice.sees(before)
        await alice.misses("Computing")
        await alice.api.chats.invite(chat.group, [CAROL.e164])
        await alice.sees("these digits are new")
        assert before not in alice.text


def test_thirty_digits_stand_in_six_groups() -> None:
    assert in_groups("12345 67890 12345 67890 12345 67890") == "12345  67890  12345\n67890  12345  67890"
