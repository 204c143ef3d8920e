"""Files and pictures: chosen, sent, fetched only when asked for, shown, and saved under harmless names."""

from pathlib import Path

import httpx
import pytest
from PIL import Image
from textual.widgets import Input, Static

from client.config import Config
from client.tui.attach import AttachScreen, Files
from client.tui.images import HalfBlocks
from client.tui.screens.picture import PictureScreen
from tests.client.conftest import ALICE, BOB, World
from tests.client.tui.pane_scene import Talk, talking


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "summit.png"
    image = Image.new("RGB", (8, 8), (255, 0, 0))
    image.paste((0, 0, 255), (0, 4, 8, 8))
    image.save(path)
    return path


class Watched(httpx.AsyncBaseTransport):
    """Counts how often a stored file was asked for."""

    def __init__(self, honest: httpx.AsyncBaseTransport) -> None:
        self._honest = honest
        self.downloads = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.downloads += request.method == "GET" and "/blobs/" in request.url.path
        return await self._honest.handle_async_request(request)


async def offer(talk: Talk, path: Path) -> None:
    """Let the friend send a file, and select it."""
    await talk.friend.messages.send_file(talk.chat.group, str(path))
    await talk.friend.device.sync()
    await talk.me.device.sync()
    await talk.sees("nothing is fetched before that")
    await talk.pilot.press("up")


async def test_a_file_is_found_in_the_folders_and_sent_with_its_words(world: World, picture: Path) -> None:
    async with talking(world, ALICE, BOB) as talk:
        results: list[tuple[str, str] | None] = []
        talk.app.push_screen(AttachScreen(picture.parent), results.append)
        await talk.until(lambda: bool(talk.app.screen.query(Files)), "the picker")
        files = talk.app.screen.query_one(Files)
        await talk.until(lambda: any("summit" in str(node.label) for node in files.root.children), "the file")
        while "summit" not in str(files.cursor_node and files.cursor_node.label):
            await talk.pilot.press("down")
        await talk.pilot.press("enter")
        await talk.until(lambda: talk.app.screen.query_one("#caption").has_focus, "the words")
        await talk.pilot.press(*"we did", "enter")
        await talk.until(lambda: bool(results), "the answer")
        assert results == [(str(picture), "we did")]


async def test_a_path_is_sent_by_the_command_and_read_by_the_friend(world: World, picture: Path) -> None:
    async with talking(world, ALICE, BOB) as talk:
        talk.pane.attach(str(picture))
        await talk.sees("summit.png")
        await talk.sees("delivered")
        await talk.friend.device.sync()
        row = (await talk.friend.messages.page(talk.chat.group))[-1]
        assert await talk.friend.messages.fetch(row.row) == picture.read_bytes()


async def test_f8_asks_which_file(world: World, picture: Path) -> None:
    async with talking(world, ALICE, BOB) as talk:
        await talk.pilot.press("f8")
        await talk.until(lambda: bool(talk.app.screen.query("#path")), "the picker")
        path = talk.app.screen.query_one("#path", Input)
        path.value = str(picture.parent / "missing.png")
        path.focus()
        await talk.pilot.press("enter")
        await talk.shows("There is no file of this name.")
        path.value = str(picture)
        await talk.pilot.press("enter", "enter")
        await talk.sees("a picture,")


async def test_a_missing_file_is_one_line_and_sends_nothing(world: World, tmp_path: Path) -> None:
    async with talking(world, ALICE, BOB) as talk:
        talk.pane.attach(str(tmp_path / "missing"))
        await talk.shows("✗ ")
        assert not [row for row in talk.rows if row.message.kind == "sent"]


@pytest.mark.parametrize("key", ["o", "enter"])
async def test_a_picture_is_fetched_when_asked_for_and_shown(world: World, picture: Path, key: str) -> None:
    asked = Watched(world.network.services["delivery.test"])
    world.network.services["delivery.test"] = asked
    async with talking(world, ALICE, BOB) as talk:
        await offer(talk, picture)
        before = asked.downloads
        await talk.pilot.press(key)
        await talk.until(lambda: isinstance(talk.app.screen, PictureScreen), "the picture's screen")
        await talk.until(lambda: "▀" in talk.screen_text, "the picture")
        shown = talk.app.screen.query_one("#picture Static", Static)
        assert isinstance(shown.content, HalfBlocks)
        assert shown.content.size == (8, 4)
        assert (before, asked.downloads) == (0, 1)


async def test_a_picture_is_saved_where_the_settings_say(world: World, picture: Path, downloads: Path) -> None:
    async with talking(world, ALICE, BOB, config=Config(download_folder=downloads)) as talk:
        await offer(talk, picture)
        await talk.pilot.press("o")
        await talk.until(lambda: "▀" in talk.screen_text, "the picture")
        assert list(downloads.iterdir()) == []
        await talk.pilot.press("s")
        await talk.shows("Saved as")
        assert (downloads / "summit.png").read_bytes() == picture.read_bytes()
        await talk.pilot.press("escape")
        await talk.sees("saved at")


async def test_octets_that_are_no_picture_say_so(world: World, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 40)
    async with talking(world, ALICE, BOB) as talk:
        await offer(talk, broken)
        await talk.pilot.press("o")
        await talk.shows("✗ This is no PNG, JPEG, GIF or WebP picture, or it is damaged.")


async def test_pictures_that_are_off_are_not_even_fetched(world: World, picture: Path) -> None:
    asked = Watched(world.network.services["delivery.test"])
    world.network.services["delivery.test"] = asked
    async with talking(world, ALICE, BOB, config=Config(images="off")) as talk:
        await offer(talk, picture)
        await talk.pilot.press("o")
        await talk.shows('The settings say images = "off"')
        assert asked.downloads == 0


async def test_any_other_file_is_saved_under_a_harmless_name(world: World, tmp_path: Path, downloads: Path) -> None:
    named = tmp_path / "-rf \u202egpj.sh"
    named.write_text("echo")
    async with talking(world, ALICE, BOB, config=Config(download_folder=downloads)) as talk:
        await offer(talk, named)
        await talk.pilot.press("o")
        await talk.sees("saved at")
        (saved,) = downloads.iterdir()
        assert saved.read_text() == "echo"
        assert not saved.name.startswith("-")
        assert "\u202e" not in saved.name


async def test_a_file_that_cannot_be_fetched_says_what_to_do(world: World, tmp_path: Path, downloads: Path) -> None:
    plain = tmp_path / "list.txt"
    plain.write_text("rope")
    async with talking(world, ALICE, BOB, config=Config(download_folder=downloads)) as talk:
        await offer(talk, plain)
        world.network.down.add("delivery.test")
        await talk.pilot.press("o")
        await talk.shows("✗ ")
        await talk.shows("Check the network")
        assert list(downloads.iterdir()) == []


async def test_hostile_names_in_a_folder_are_drawn_harmless(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "got"
    folder.mkdir()
    (folder / "a\x1b]0;x\x07[bold]b[nope]").write_text("x")
    async with talking(world, ALICE, BOB) as talk:
        talk.app.push_screen(AttachScreen(folder))
        await talk.shows("a␛]0;x␇[bold]b[nope]")
