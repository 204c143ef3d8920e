"""How the demo is told: in 80 columns, with failures that nobody can overlook, or as JSON."""

import io
import json
from dataclasses import replace

import pytest

from identity.binding import Verdict
from identity.number import TelephoneNumber
from lab.attacks.catalogue import ATTACKS
from lab.attacks.outcome import Outcome, check
from lab.demo import CLOSING_LINES, LINES
from lab.json_lines import JsonNarration
from lab.narration import Narration
from lab.paint import Paint
from lab.sparks import sparks
from lab.stage import Said
from lab.story import (
    AttacksBegin,
    Attempted,
    Defence,
    Enrolled,
    Event,
    Finished,
    GroupMade,
    Opened,
    Reported,
    Spoke,
    Struck,
    Tally,
    WaveBegins,
    WaveEnds,
)

NUMBER = TelephoneNumber.from_digits("12025550199")
ATTACK = ATTACKS[0]
STOPPED = Outcome(ATTACK.guard, "The message was signed for another number.", "✗ PROOF FAILED", 438)
ELSEWHERE = replace(STOPPED, by=check(9))
THROUGH = Outcome(None, "The sender proved control of this number.", "✓ NUMBER VERIFIED")


def told(*events: Event, columns: int = 80) -> str:
    screen = io.StringIO()
    narration = Narration(screen, Paint(colour=False), columns)
    for event in events:
        narration.tell(event)
    return screen.getvalue()


def finished(*outcomes: Outcome, unverified: int = 0) -> Finished:
    attempts = tuple(Attempted(place, ATTACK, outcome) for place, outcome in enumerate(outcomes, start=1))
    return Finished(attempts, 15, unverified, 3.21)


def said(text: str, verdict: Verdict | None = Verdict.VERIFIED) -> Said:
    return Said("Mallory", NUMBER, text, {"Bob": verdict, "Carol": Verdict.VERIFIED})


def test_every_line_fits_into_eighty_columns() -> None:
    story: list[Event] = [
        Opened("http://127.0.0.1:65535", "http://127.0.0.1:65535"),
        Enrolled("Mallory", NUMBER, "123456", "0123456789abcdef"),
        GroupMade("Climbing", ("Alice", "Bob", "Carol", "Mallory"), 2),
        *(Spoke(said(line)) for line in (*LINES, *CLOSING_LINES)),
        AttacksBegin(NUMBER),
    ]
    attempts = tuple(
        Attempted(place, attack, Outcome(attack.guard, "The proof is of another kind.", "✗ PROOF FAILED", 438))
        for place, attack in enumerate(ATTACKS, start=1)
    )
    text = told(*story, *attempts, Finished(attempts, 15, 0, 12.3))
    assert max(map(len, text.splitlines())) <= 80
    assert "  ✓ NUMBER VERIFIED" in text


def test_message_with_two_verdicts_shows_both() -> None:
    text = told(Spoke(said("Hello", Verdict.FAILED)))
    assert "✗ PROOF FAILED" in text
    assert "✓ NUMBER VERIFIED" in text


def test_message_that_did_not_arrive_is_not_verified() -> None:
    assert not said("Hello", None).verified
    assert "✗ NOT SHOWN" in told(Spoke(said("Hello", None)))


def test_preludes_are_counted_but_not_told() -> None:
    assert told(Spoke(said("Hello"), prelude=True)) == ""


@pytest.mark.parametrize(
    ("ending", "closing"),
    [
        (finished(STOPPED), "15 honest messages verified · 1 attack refused · 0 got through   3.2 s"),
        (finished(STOPPED, THROUGH), "· 1 attack refused · 1 got through"),
        (finished(ELSEWHERE), "· 0 attacks refused · 0 got through · 1 stopped by another guard"),
        (finished(STOPPED, unverified=2), "· 2 honest messages not verified"),
    ],
)
def test_closing_line_counts_everything(ending: Finished, closing: str) -> None:
    assert closing in told(ending).splitlines()[-1]


@pytest.mark.parametrize(
    ("ending", "succeeded"),
    [
        (finished(STOPPED), True),
        (finished(STOPPED, THROUGH), False),
        (finished(ELSEWHERE), False),
        (finished(STOPPED, unverified=1), False),
        (finished(), False),
        (Finished((Attempted(1, ATTACK, STOPPED),), 0, 0, 1.0), False),
    ],
)
def test_only_a_flawless_run_succeeds(ending: Finished, succeeded: bool) -> None:
    assert ending.succeeded is succeeded


def test_attack_that_got_through_is_shouted() -> None:
    assert "GOT THROUGH" in told(Attempted(1, ATTACK, THROUGH))


def test_attack_stopped_elsewhere_names_the_guard_that_failed() -> None:
    text = told(Attempted(1, ATTACK, ELSEWHERE))
    assert "stopped by check 9 (content)" in text
    assert "should have been stopped by check 6 (number)" in text


def test_json_names_guard_and_check() -> None:
    screen = io.StringIO()
    JsonNarration(screen).tell(Attempted(1, ATTACK, ELSEWHERE))
    line = json.loads(screen.getvalue())
    assert (line["guard"], line["by"]) == ("check 6 (number)", "check 9 (content)")
    assert (line["check"], line["held"]) == (9, False)


def waves() -> tuple[WaveEnds, ...]:
    seen = {Defence.NONE: (1, 2, 3), Defence.ADMISSION: (1, 2, 3), Defence.REPORTS: (1, 1, 1)}
    return tuple(WaveEnds(defence, Tally(3, saw=saw), held=True) for defence, saw in seen.items())


def test_wave_is_told_in_eighty_columns_with_a_sign_for_each_place() -> None:
    story: list[Event] = [
        WaveBegins(Defence.NONE, NUMBER, 3),
        Struck(Defence.NONE, "Ada", "inbox", "You have won.", "", Tally(1, 1, saw=(1,))),
        Struck(Defence.ADMISSION, "Ben", "request", "number only, ✓ NUMBER VERIFIED", "", Tally(1, 0, 1, saw=(1,))),
        Reported(Defence.REPORTS, "Ben", "The report was verified and counts. " * 3, Tally(1, reports=1)),
        Struck(Defence.REPORTS, "Cleo", "quarantine", "", "This number was reported.", Tally(2, saw=(1, 1))),
        *waves(),
    ]
    text = told(*story)
    assert max(map(len, text.splitlines())) <= 80
    for words in ("Ada      ✗ INBOX", "Ben      ~ REQUEST", "Ben      ⚑ REPORTED", "Cleo     ✓ HELD BACK", "▃▃▃  1"):
        assert words in text


def test_a_wave_that_went_elsewhere_makes_the_demo_fail() -> None:
    ending = replace(finished(STOPPED), waves=(*waves()[:2], replace(waves()[2], held=False)))
    assert not ending.succeeded
    assert replace(ending, waves=waves()).succeeded
    assert "the spam went elsewhere than it should" in told(ending).splitlines()[-1]
    assert "NOT AS IT SHOULD BE" in told(ending.waves[2])


def test_chart_grows_with_its_values() -> None:
    assert sparks((0, 1, 5, 10), 10) == "▁▁▄█"
