"""One's own number for others: as a QR code in the terminal and as a picture, or as letters in a small window."""

import stat

import pytest
from PIL import Image
from textual.geometry import Size
from textual.widgets import Static

from client.invite import parse_invite
from client.terminal.clipboard import osc52
from client.tui.qr import qr_text
from client.tui.screens.invite import InviteScreen
from tests.client.conftest import ALICE
from tests.client.tui.screens.sheet_scene import Seat, seated
from tests.client.tui.shell_scene import Scene, text_of

ADDRESS = "ringtrue:+12025550142"


def code_rows(seat: Seat) -> list[str]:
    return [row for row in text_of(seat.app).splitlines() if any(block in row for block in "▀▄█")]


def words(seat: Seat) -> str:
    return str(seat.app.screen.query_one("#words", Static).content)


@pytest.mark.parametrize("size", [(80, 24), (140, 40)])
async def test_number_address_code_and_qr_are_shown(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await alice.show(InviteScreen())
        await alice.sees(ADDRESS)
        assert "+1 202-555-0142" in alice.text
        shown = text_of(alice.app)
        for row in qr_text(ADDRESS).plain.split("\n"):
            assert row.rstrip() in shown
        (code,) = (word for word in alice.text.split() if word.count("-") == 2 and word.isupper())
        assert parse_invite(code) == ALICE


async def test_large_blocks_are_drawn_where_they_fit(scene: Scene) -> None:
    async with seated(scene, (140, 40)) as alice:
        await alice.show(InviteScreen())
        await alice.sees(ADDRESS)
        assert code_rows(alice)
        await alice.press("b")
        await alice.until(lambda: not code_rows(alice), "the code in spaces")
        assert alice.app.screen.query_one("#qr").size == Size(2 * 29, 29)
        await alice.press("b")
        await alice.until(lambda: code_rows(alice), "the code in half blocks")


async def test_where_large_blocks_do_not_fit_it_is_said(scene: Scene) -> None:
    async with seated(scene, (80, 24)) as alice:
        await alice.show(InviteScreen())
        await alice.sees(ADDRESS)
        await alice.press("b")
        await alice.until(lambda: "Large blocks need a larger window." in words(alice), "why they are not drawn")
        assert code_rows(alice)


async def test_a_window_too_small_for_the_code_shows_the_letters_and_says_so(scene: Scene) -> None:
    async with seated(scene, (60, 16)) as alice:
        await alice.show(InviteScreen())
        await alice.sees("This window is too small for the QR code: use the short code, or p for a picture.")
        assert ADDRESS in alice.text
        assert not code_rows(alice)
        await alice.pilot.resize_terminal(80, 24)
        await alice.until(lambda: code_rows(alice), "the code after the window has grown")


async def test_the_picture_is_a_private_png_of_the_same_code(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(InviteScreen())
        await alice.sees(ADDRESS)
        await alice.press("p")
        await alice.sees("Saved:")
        (picture,) = scene.folder.iterdir()
        assert stat.S_IMODE(picture.stat().st_mode) == 0o600
        assert _modules(Image.open(picture).convert("1")) == _drawn(ADDRESS)


async def test_a_folder_that_cannot_be_written_is_told(scene: Scene) -> None:
    async with seated(scene) as alice:
        scene.folder.rmdir()
        scene.folder.write_text("not a folder")
        await alice.show(InviteScreen())
        await alice.sees(ADDRESS)
        await alice.press("p")
        await alice.sees("✗")


async def test_the_address_is_copied(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async with seated(scene) as alice:
        monkeypatch.delenv("TMUX", raising=False)
        monkeypatch.delenv("STY", raising=False)
        written: list[str] = []
        assert alice.app._driver is not None
        monkeypatch.setattr(alice.app._driver, "write", written.append)
        await alice.show(InviteScreen())
        await alice.sees(ADDRESS)
        await alice.press("c")
        await alice.until(
            lambda: osc52(ADDRESS.encode(), {}) in "".join(written), "the address on its way to the terminal"
        )


def _modules(picture: Image.Image) -> list[list[bool]]:
    """The dark modules of the picture, without its quiet zone."""
    step, side = 8, picture.width // 8 - 8
    return [
        [picture.getpixel(((4 + column) * step + 1, (4 + row) * step + 1)) == 0 for column in range(side)]
        for row in range(side)
    ]


def _drawn(content: str) -> list[list[bool]]:
    """The dark modules as a terminal shows them in half blocks, without their quiet zone."""
    lines = qr_text(content).plain.split("\n")
    rows = [[block in blocks for block in line] for line in lines for blocks in ("▀█", "▄█")]
    side = len(lines[0]) - 4
    return [row[2:-2] for row in rows[2 : 2 + side]]
