"""The inspector over real messages: one that holds, one that does not."""

import json
import stat
from pathlib import Path

import pytest

from client.tui.screens.inspector import InspectorScreen
from tests.client.tui.screens.sheet_scene import SIZES, seated
from tests.client.tui.shell_scene import Scene

CAUTION = "It does not prove who a person is or that they mean well."


@pytest.mark.parametrize("size", SIZES)
async def test_all_that_was_compared_can_be_read_at_any_size(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        bob, chat = await alice.ravi()
        message = await alice.hears(bob, chat, "rope is at mine")
        await alice.show(InspectorScreen(message.row))
        await alice.sees("Checks: 15 passed")
        await alice.sees("0 The conversation is known")
        await alice.misses("Looking")
        for words in ("✓ NUMBER VERIFIED +1 202-555-0143 Ravi (your contact)", CAUTION, "Export the proof", "Raw"):
            assert words in alice.text
        read = alice.text
        for _ in range(30):
            await alice.press("pagedown")
            read += alice.text
            assert CAUTION in alice.text
        checks = ("The conversation is known", "Certificate covers the number", "What may be said")
        facts = (
            "PASSporT header",
            "ES256",
            "PASSporT claims",
            "msgi",
            "the root",
            "the signer's",
            "epoch",
            "leaf",
            "age",
            "The service can confirm this message",
            "✓ yes, without having read it",
        )
        assert [words for words in (*checks, *facts) if words not in read] == []


async def test_a_failed_one_opens_on_the_check_that_failed_and_keeps_its_words(scene: Scene) -> None:
    async with seated(scene, (60, 20)) as alice:
        await alice.deceived()
        (held,) = await alice.api.messages.quarantine()
        await alice.show(InspectorScreen(held.row))
        await alice.sees("✗ FAILED 8 The signature is right")
        assert "Not shown in the conversation." in alice.text
        await alice.press("r")
        await alice.sees("PASSporT (RFC 8225)")
        await alice.press("G")
        await alice.sees("stays closed")
        assert "parcel" not in alice.text


async def test_the_octets_are_shown_and_the_checks_come_back(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        message = await alice.hears(bob, chat, "rope is at mine")
        await alice.show(InspectorScreen(message.row))
        await alice.sees("Checks: 15 passed")
        await alice.press("r", "G")
        await alice.sees("witnes")
        await alice.press("r")
        await alice.sees("Checks: 15 passed")


async def test_the_proof_goes_into_a_private_file_that_overwrites_nothing(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        message = await alice.hears(bob, chat, "rope is at mine")
        await alice.show(InspectorScreen(message.row))
        await alice.sees("Checks: 15 passed")
        for _ in range(2):
            await alice.press("e")
            await alice.sees("Write to this new file")
            await alice.press("enter")
            await alice.sees("ringtrue verify")
        files = sorted(scene.folder.iterdir())
        assert len(files) == 2
        assert files[0].read_bytes() == files[1].read_bytes()
        assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
        assert json.loads(files[0].read_bytes())["passport"]


async def test_a_path_that_cannot_be_written_is_told_with_what_to_do(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        message = await alice.hears(bob, chat, "rope is at mine")
        await alice.show(InspectorScreen(message.row))
        await alice.sees("Checks: 15 passed")
        await alice.press("e")
        await alice.sees("Write to this new file")
        alice.app.screen.query_one("Input").value = str(Path("/proc/none/proof.json"))
        await alice.press("enter")
        await alice.sees("✗")
        assert "choose another folder" in alice.text


async def test_the_inspection_can_be_copied_but_not_in_incognito(scene: Scene) -> None:
    async with seated(scene) as alice:
        bob, chat = await alice.ravi()
        message = await alice.hears(bob, chat, "rope is at mine")
        await alice.show(InspectorScreen(message.row))
        await alice.sees("Checks: 15 passed")
        await alice.press("c")
        await alice.sees("Sent to the terminal to copy")
        alice.app.incognito = True
        await alice.press("c")
        await alice.sees("Copying is refused in incognito")


async def test_what_has_no_proof_says_so_and_offers_nothing(scene: Scene) -> None:
    async with seated(scene) as alice:
        _, chat = await alice.ravi()
        notice = next(row for row in await alice.api.messages.page(chat.group) if row.sender is None)
        await alice.show(InspectorScreen(notice.row))
        await alice.sees("There is nothing to inspect in this row. Choose a message.")
        await alice.press("e", "escape")
        assert not isinstance(alice.app.screen, InspectorScreen)
