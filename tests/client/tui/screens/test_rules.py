"""The sheet of rules: the list in words with its counts, a trial that changes nothing, and rules of a person's own."""

from pathlib import Path

import pytest

from client.defence.rules import default_toml
from client.tui.screens.requests import RequestsScreen
from client.tui.screens.rules import RulesScreen
from identity.number import TelephoneNumber
from tests.client.tui.screens.sheet_scene import BAIT, SIZES, TITLE, Seat, seated
from tests.client.tui.shell_scene import Scene

HOLD = '[[rule]]\nname = "no strangers"\nrelation = ["stranger"]\nplace = "quarantine"\n\n'


def written(scene: Scene, toml: str) -> Path:
    file = scene.folder / "rules.toml"
    file.write_text(toml)
    return file


async def listed(alice: Seat) -> None:
    await alice.show(RulesScreen())
    await alice.sees("These rules come with this program.")
    await alice.misses("Looking")


async def asked_for(alice: Seat, key: str, file: Path) -> None:
    await alice.press(key)
    await alice.sees("Which file? Its path:")
    await alice.type(str(file))
    await alice.press("enter")


@pytest.mark.parametrize("size", SIZES)
async def test_every_rule_is_said_in_words_with_what_it_has_hidden(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await alice.asked()
        await listed(alice)
        for words in ("1 blocked number asks", "A chat from a number that you blocked: dropped and counted"):
            assert words in alice.text
        await alice.press("G")
        await alice.sees("9 stranger asks 1 so far")
        await alice.sees("chat not accepted: 2 to request, last")
        for key in ("t Try a file of rules", "u Use a file of rules", "esc Close"):
            assert key in alice.text


async def test_a_trial_says_what_would_move_and_changes_nothing(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.asked()
        await listed(alice)
        await asked_for(alice, "t", written(scene, HOLD + default_toml()))
        await alice.sees("A trial of rules: rules.toml")
        for words in (
            "Tried on 1 chat and 2 messages of others: 3 would have gone elsewhere. Nothing is changed.",
            "1 chat: from request to quarantine, by “no strangers”",
            "message of +1 202-555-0144",
        ):
            assert words in alice.text
        assert TITLE not in alice.text
        assert BAIT not in alice.text
        assert (await alice.api.admission.rules()).saved is None


async def test_rules_are_used_on_purpose_and_taken_back(scene: Scene) -> None:
    async with seated(scene) as alice:
        await listed(alice)
        file = written(scene, HOLD + default_toml())
        await asked_for(alice, "u", file)
        await alice.sees("Use these rules?")
        await alice.press("enter")  # the harmless answer
        await alice.sees("These rules come with this program.")
        assert (await alice.api.admission.rules()).saved is None
        await alice.press("u")
        await alice.sees(f"Its path: {str(file)[:40]}")  # the last one is offered again
        await alice.press("enter")
        await alice.sees("Use these rules?")
        await alice.press("right", "enter")
        await alice.sees("Saved. These rules decide about what comes from now on; what has come stays where it is.")
        await alice.sees("1 no strangers your own")
        await alice.press("x")
        await alice.sees("Use the program's own rules?")
        await alice.press("right", "enter")
        await alice.sees("These rules come with this program.")
        assert (await alice.api.admission.rules()).saved is None


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('[[rule]]\nname = "x"\nplace = "bin"', "Rule 1, 'x': place is not understood; it may be inbox, request"),
        ('[[rule]]\nname = "all"\nplace = "drop"', "'all' would hide chats that your own devices add you to"),
        (None, "No such file"),
    ],
)
async def test_a_file_that_cannot_be_used_is_said_in_words(scene: Scene, toml: str | None, says: str) -> None:
    async with seated(scene) as alice:
        await listed(alice)
        await asked_for(alice, "t", scene.folder / "none.toml" if toml is None else written(scene, toml))
        await alice.sees(says)
        assert isinstance(alice.app.screen, RulesScreen)


@pytest.mark.parametrize("size", SIZES)
async def test_chats_that_were_held_back_stand_below_the_requests(scene: Scene, size: tuple[int, int]) -> None:
    async with seated(scene, size) as alice:
        await alice.asked()
        await alice.api.admission.use(HOLD + default_toml())
        await alice.asked(TelephoneNumber.from_digits("12025550155"))
        await alice.show(RequestsScreen())
        await alice.sees("Requests 1, held back 1")
        await alice.misses("Looking")
        await alice.press("G")
        await alice.sees("Held back by a rule; nobody is told of these")
        await alice.sees("+1 202-555-0155")
        await alice.sees("it is not in your contacts. Rule: no strangers")
        await alice.press("a")
        await alice.sees("Accept this request? +1 202-555-0155 becomes a contact")
        await alice.press("right", "enter")
        await alice.until(lambda: alice.app.chat is not None, "the accepted chat is open")
        assert await alice.api.people.held() == []
        assert len(await alice.api.people.requests()) == 1


async def test_the_requests_lead_to_the_rules(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.show(RequestsScreen())
        await alice.sees("u Rules")
        await alice.press("u")
        await alice.sees("Rules: where chats and messages of others go")
