"""One's own standing: what counts against the number, when it ends, and the one appeal."""

from client.tui.screens.standing import StandingScreen
from identity.reports.report import ReportKind
from tests.client.conftest import ALICE, CAROL
from tests.client.tui.screens.sheet_scene import seated
from tests.client.tui.shell_scene import Scene


async def test_a_clear_number_has_nothing_to_appeal(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(StandingScreen())
        await alice.sees("✓ CLEAR +1 202-555-0142. No verified report counts against this number.")
        assert "a Appeal" not in alice.text


async def test_a_reported_number_sees_how_many_until_when_and_appeals_once(scene: Scene) -> None:
    async with seated(scene) as alice:
        carol = await scene.person(CAROL)
        chat = await alice.api.chats.direct(CAROL.e164)
        await alice.api.messages.send(chat.group, "Buy.")
        await alice.api.device.sync()
        await carol.device.sync()
        (request,) = await carol.people.requests()
        assert request.number == ALICE.e164
        await carol.messages.report(await carol.people.reportable(request.group), ReportKind.SPAM)

        await alice.show(StandingScreen())
        await alice.sees("⚑ REPORTED +1 202-555-0142")
        await alice.sees("1 independent report (1 for spam). It ends by itself at")
        await alice.press("a")
        await alice.until(lambda: alice.app.screen.query("Input"), "the question")
        await alice.type("A raffle")
        await alice.press("enter")

        await alice.sees("Your appeal is with the operator: A raffle")
        assert "a Appeal" not in alice.text
