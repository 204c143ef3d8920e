"""Export: private files in three forms, each with a word on what it gives away; nothing is overwritten."""

import json
import stat

import pytest

from client.tui.screens.export import ExportScreen
from tests.client.tui.screens.sheet_scene import SIZES, seated
from tests.client.tui.shell_scene import Scene


@pytest.mark.parametrize("size", SIZES)
async def test_the_form_says_what_the_file_reveals(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        _, chat = await alice.ravi()
        await alice.show(ExportScreen(chat.group))
        await alice.sees("Export Climbing group")
        for words in (
            "(x) Text",
            "( ) Markdown",
            "( ) JSON with proofs",
            "The file is not encrypted",
            "Close",
            "Export",
        ):
            assert words in alice.text
        await alice.press("down", "down", "enter")
        await alice.sees("(x) JSON with proofs")
        assert "( ) Text" in alice.text
        assert "can show others, without your help" in alice.text


@pytest.mark.parametrize(("downs", "ending"), [(0, "txt"), (1, "md"), (2, "json")])
async def test_each_form_is_a_private_file_that_overwrites_nothing(scene: Scene, downs: int, ending: str) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        await alice.hears(bob, chat, "rope is at mine")
        await alice.show(ExportScreen(chat.group))
        await alice.sees("Export Climbing group")
        if downs:
            await alice.press(*["down"] * downs, "enter")
        for count in (1, 2):
            await alice.press("ctrl+s")
            await alice.until(lambda count=count: len(list(scene.folder.iterdir())) == count, "a file is written")
            await alice.sees("readable by you only")
        files = sorted(scene.folder.iterdir())
        assert {file.suffix for file in files} == {f".{ending}"}
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert "rope is at mine" in files[0].read_text()
        if ending == "json":
            assert "passport" in files[0].read_text()
            json.loads(files[0].read_text())


async def test_a_folder_that_refuses_is_told_with_what_to_do(scene: Scene) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        await alice.show(ExportScreen(chat.group))
        await alice.sees("Export Climbing group")
        alice.app.screen.query_one("Input").value = "/proc/none/chat.txt"
        await alice.press("ctrl+s")
        await alice.sees("✗ Nothing can be saved in '/proc/none'")
        assert "choose another folder" in alice.text
        alice.app.screen.query_one("Input").value = "~nobody-of-this-name/chat.txt"
        await alice.press("ctrl+s")
        await alice.sees("Write the whole path.")


async def test_nothing_is_exported_in_incognito(scene: Scene) -> None:
    async with seated(scene, incognito=True) as alice:
        _, chat = await alice.ravi()
        await alice.show(ExportScreen(chat.group))
        await alice.sees("Export Climbing group")
        await alice.press("ctrl+s")
        await alice.sees("Export is refused in incognito")
        assert list(scene.folder.iterdir()) == []
