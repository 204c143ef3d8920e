"""The report dialog: what is sent stands there before it is, a stranger's words only when asked for."""

import pytest

from client.tui.screens.report import ReportScreen
from client.tui.screens.requests import RequestsScreen
from tests.client.conftest import BOB, CAROL
from tests.client.tui.screens.sheet_scene import BAIT, SIZES, Seat, seated
from tests.client.tui.shell_scene import Scene


async def asked(alice: Seat) -> int:
    """A stranger's message behind a request; its row."""
    await alice.asked()
    await alice.until(lambda: True, "")
    (request,) = await alice.api.people.requests()
    assert request.row is not None
    return request.row


@pytest.mark.parametrize("size", SIZES)
async def test_it_shows_who_what_and_how_much_before_anything_is_sent(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        row = await asked(alice)
        await alice.show(ReportScreen([row], [row]))
        await alice.until(lambda: alice.app.screen.query_one("#yes").disabled is False, "it can be sent")
        preview = str(alice.app.screen.query_one("#preview").render())
        for words in ("Report +1 202-555-0144 for spam", BAIT, "Nobody else's number is sent", "octets; you sign"):
            assert words in preview
        assert (await alice.api.messages.get(row)).reported is None


async def test_a_report_of_a_request_shows_no_word_until_asked_and_blocks(scene: Scene) -> None:
    async with seated(scene) as alice:
        await asked(alice)
        await alice.show(RequestsScreen())
        await alice.sees("Requests 1")
        await alice.press("R")
        await alice.until(lambda: isinstance(alice.app.screen, ReportScreen), "the dialog")
        dialog = alice.app.screen
        await alice.until(lambda: dialog.query_one("#yes").disabled is False, "it can be sent")
        assert BAIT not in str(dialog.query_one("#preview").render())
        await alice.press("w")
        assert BAIT in str(dialog.query_one("#preview").render())

        await alice.press("ctrl+s")

        await alice.sees("The report was verified and counts.")
        (contact,) = [each for each in await alice.api.people.contacts() if each.number == CAROL.e164]
        assert contact.blocked


async def test_leaving_the_dialog_sends_nothing(scene: Scene) -> None:
    async with seated(scene) as alice:
        row = await asked(alice)
        await alice.show(ReportScreen([row], [row]))
        await alice.press("escape")
        assert alice.answer == [None]
        assert (await alice.api.messages.get(row)).reported is None


async def test_what_travels_can_be_read_octet_by_octet(scene: Scene) -> None:
    async with seated(scene) as alice:
        row = await asked(alice)
        await alice.show(ReportScreen([row], [row]))
        await alice.until(lambda: alice.app.screen.query_one("#yes").disabled is False, "it can be sent")
        await alice.press("x")
        travels = str(alice.app.screen.query_one("#preview").render())
        assert '"statement"' in travels
        assert '"evidence"' in travels


async def test_only_messages_that_were_chosen_are_disclosed(scene: Scene) -> None:
    async with seated(scene, (140, 60)) as alice:
        bob, chat = await alice.ravi()
        for text in ("first words", "second words"):
            await bob.messages.send(chat.group, text)
            await bob.device.sync()
        await alice.api.device.sync()
        rows = [each.row for each in await alice.api.messages.page(chat.group) if each.sender == BOB.e164 and each.text]
        await alice.show(ReportScreen(rows[-2:], rows[-1:]))
        await alice.until(lambda: alice.app.screen.query_one("#yes").disabled is False, "it can be sent")
        preview = str(alice.app.screen.query_one("#preview").render())
        assert "second words" in preview
        assert "first words" not in preview
