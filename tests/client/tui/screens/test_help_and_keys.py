"""Help shows this person's keys and every command; the test of keys shows what arrives."""

import pytest

from client.tui.commands import COMMANDS
from client.tui.keymap import ACTIONS
from client.tui.screens.help import HelpScreen
from client.tui.screens.key_line import KeyLine
from client.tui.screens.keys_test import KeysTestScreen
from client.tui.screens.reader import Fact
from tests.client.tui.screens.sheet_scene import SIZES, seated
from tests.client.tui.shell_scene import Scene


@pytest.mark.parametrize("size", SIZES)
async def test_every_action_and_every_command_is_on_the_page(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size, keys={"status": "f10"}) as alice:
        await alice.show(HelpScreen())
        await alice.sees("Signs beside a message")
        facts = [tuple(str(part.content) for part in fact.children) for fact in alice.app.screen.query(Fact)]
        assert ("F10", "Show the network and the certificate") in facts
        assert {action.words for action in ACTIONS} <= {value for _, value in facts}
        assert {f"/{command.slash}" for command in COMMANDS} <= {name.split()[0] for name, _ in facts}
        assert all(
            0 < part.size.width <= size[0] - 4 for fact in alice.app.screen.query(Fact) for part in fact.children
        )
        await alice.press("G")
        await alice.sees("Esc closes")
        await alice.press("K")
        await alice.sees("Press any key")


async def test_a_key_at_the_foot_can_be_clicked(scene: Scene) -> None:
    async with seated(scene) as alice:
        screen = HelpScreen()
        await alice.show(screen)
        await alice.sees("esc Close")
        row = screen.query_one(KeyLine)
        place = row.render_line(0).text.index("esc Close")
        await alice.pilot.click(row, offset=(place + 5, 0))
        await alice.until(lambda: alice.app.screen is not screen, "it is closed")


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_is_shown_with_what_it_does_and_does_nothing(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await alice.show(KeysTestScreen())
        await alice.sees("Not seen yet: F1, F2")
        for key, words in (
            ("f1", "F1: Show keys and help"),
            ("tab", "Tab: Go to the next pane"),
            ("x", "x: not bound"),
        ):
            await alice.press(key)
            await alice.sees(words)
        assert "Not seen yet: F2, F3" in alice.text
        assert isinstance(alice.app.screen, KeysTestScreen)
        await alice.press("escape", "x", "escape")
        assert isinstance(alice.app.screen, KeysTestScreen)
        await alice.press("escape")
        await alice.until(lambda: not isinstance(alice.app.screen, KeysTestScreen), "Esc twice closes")
