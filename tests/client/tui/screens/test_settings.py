"""Settings: applied at once, written to the file with its comments, refused where they make no sense."""

from pathlib import Path

import pytest

from client.config import load_config
from client.tui.screens.settings import SettingsScreen
from tests.client.tui.screens.sheet_scene import SIZES, Seat, seated
from tests.client.tui.shell_scene import Scene


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.toml"
    path.write_text('# mine\ntheme = "dark"  # easy on the eyes\n')
    monkeypatch.setenv("RINGTRUE_CONFIG", str(path))
    return path


async def opened(alice: Seat, *keys: str) -> None:
    await alice.show(SettingsScreen())
    await alice.sees("Colours")
    await alice.press(*keys)


async def test_a_theme_is_worn_while_it_is_chosen_and_kept_when_it_was(scene: Scene, file: Path) -> None:
    async with seated(scene) as alice:
        await opened(alice, "enter", "down")
        await alice.until(lambda: alice.app.theme == "light", "the next theme is worn")
        assert load_config(file).theme == "dark"
        await alice.press("escape")
        await alice.until(lambda: alice.app.theme == "dark", "the old one is worn again")
        await alice.press("enter", "down", "enter")
        await alice.sees("Saved.")
        assert (alice.app.theme, alice.app.config.theme) == ("light", "light")
        assert file.read_text() == '# mine\ntheme = "light"  # easy on the eyes\n'


@pytest.mark.parametrize("size", SIZES)
async def test_everything_can_be_reached_at_any_size(scene: Scene, file: Path, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await opened(alice)
        read = alice.text
        for _ in range(10):
            await alice.press("tab")
            read += alice.text
        wanted = (
            "Colours",
            "Keys",
            "Notifications show",
            "Emoji",
            "Images",
            "Copying",
            "[x] Ring",
            "Lock after minutes",
        )
        assert [words for words in (*wanted, "Save files in") if words not in read] == []


async def test_the_bell_the_lock_and_the_folder_are_kept(scene: Scene, file: Path) -> None:
    async with seated(scene) as alice:
        await opened(alice)
        screen = alice.app.screen
        screen.query_one("#bell").focus()
        await alice.press("space")
        await alice.sees("[ ] Ring")
        minutes = screen.query_one("#minutes")
        minutes.focus()
        minutes.value = "15"
        await alice.press("enter")
        folder = screen.query_one("#folder")
        folder.focus()
        folder.value = "/srv/files"
        await alice.press("enter")
        await alice.until(lambda: load_config(file).download_folder == Path("/srv/files"), "the folder is written")
        config = load_config(file)
        assert (config.bell, config.lock_after_minutes) == (False, 15)
        assert (alice.app.config.bell, alice.app.config.lock_after_minutes) == (False, 15)


@pytest.mark.parametrize(
    ("field", "value", "words"), [("minutes", "99999", "from 0 (never)"), ("folder", "x", "begins")]
)
async def test_what_makes_no_sense_is_refused_in_words(
    scene: Scene, file: Path, field: str, value: str, words: str
) -> None:
    async with seated(scene) as alice:
        await opened(alice)
        entry = alice.app.screen.query_one(f"#{field}")
        entry.focus()
        entry.value = value
        before = file.read_text()
        await alice.press("enter")
        await alice.sees(words)
        assert file.read_text() == before


async def test_a_key_is_bound_by_pressing_it_and_given_back(scene: Scene, file: Path) -> None:
    async with seated(scene) as alice:
        await opened(alice, "shift+tab", "right", "tab")
        rows = alice.app.screen.query_one("#actions")
        await alice.until(lambda: rows.has_focus, "the keys are listed")
        rows.highlighted = [option.id for option in rows.options].index("status")
        await alice.press("enter")
        await alice.sees("press the key that does it")
        await alice.press("f10")
        await alice.sees("* F10")
        assert dict(load_config(file).keys) == {"status": "f10"}
        await alice.press("escape", "f10")
        await alice.until(lambda: type(alice.app.screen).__name__ == "StatusScreen", "the new key works")
        await alice.press("escape")
        await opened(alice, "shift+tab", "right", "tab")
        rows = alice.app.screen.query_one("#actions")
        rows.highlighted = [option.id for option in rows.options].index("status")
        await alice.press("backspace")
        await alice.misses("* F10")
        assert dict(load_config(file).keys) == {}


async def test_one_key_for_two_things_is_refused(scene: Scene, file: Path) -> None:
    async with seated(scene) as alice:
        await opened(alice, "shift+tab", "right", "tab")
        rows = alice.app.screen.query_one("#actions")
        await alice.until(lambda: rows.has_focus, "the keys are listed")
        rows.highlighted = [option.id for option in rows.options].index("status")
        await alice.press("enter")
        await alice.sees("press the key that does it")
        await alice.press("f3")
        await alice.sees("✗ F3 would mean both requests and status.")
        assert "Nothing was changed." in alice.text
        assert dict(load_config(file).keys) == {}
        assert dict(alice.app.config.keys) == {}


async def test_another_profile_takes_effect_at_once(scene: Scene, file: Path) -> None:
    async with seated(scene) as alice:
        await opened(alice)
        alice.app.screen.query_one("#key_profile").focus()
        await alice.press("enter", "down", "enter")
        await alice.until(lambda: load_config(file).key_profile == "vim", "it is written")
        await alice.press("shift+tab", "shift+tab", "right")
        await alice.sees("Ctrl+P or :")


async def test_a_file_that_cannot_be_written_is_told(scene: Scene, file: Path) -> None:
    async with seated(scene) as alice:
        await opened(alice)
        file.write_text("themes = 1\n")
        alice.app.screen.query_one("#bell").focus()
        await alice.press("space")
        await alice.sees("✗")
        assert "there is no setting 'themes'" in alice.text
        assert alice.app.config.bell
