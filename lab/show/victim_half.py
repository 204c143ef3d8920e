"""The victims' half: what stands on their clients' screens, and each numbered check as it passes or fails."""

from collections import Counter
from collections.abc import Iterator

from textual.content import Content

from client.defence.admission import Place
from client.words.wording import VERDICT_WORDS
from identity.verdict import Check
from lab.attacks.outcome import Keeper, Outcome
from lab.narration import PLACE_WORDS, REFUSED
from lab.show.lines import BAD, GOOD, QUIET, WARNING, Lines, badge, cut, fitting, paragraph
from lab.show.scene import Act, Scene
from lab.stage import Said
from lab.story import Reported, Struck

SIGNS = {"passed": ("✓", GOOD), "failed": ("✗", BAD), "skipped": ("-", QUIET), "undecided": ("?", WARNING)}
WORDS = {"passed": "passed", "failed": "FAILED", "skipped": "not reached", "undecided": "undecided"}
CHECKS_ROOM = 12  # rows for all that stands around a reason, at least
TALK_ROOM = 4  # rows at least, for what was said before
APART = {
    Place.QUARANTINE: "- its words are held back",
    Place.REQUEST: "- its words wait behind a request",
    Place.DROP: "- dropped and counted",
}
NAME_WIDTH = 17  # cells of a check's sign, number and name
UNCHECKED = {
    Keeper.ADMISSION: "The rules of each client decided where it goes.",
    Keeper.ALARM: "The client of the number's owner says so on its screen.",
    Keeper.AUTHORITY: "No client was sent anything: the authority had to judge, and refused.",
    Keeper.CERTIFICATION: "No client was sent anything: no certificate was issued.",
    Keeper.CHECK: "No message was shown: it was refused before there was one.",
    Keeper.DISPLAY: "The message is shown, with that word beside it.",
    Keeper.ENGINE: "It was no message to any client: nothing is shown.",
    Keeper.LINKING: "The owner's devices say so, and nothing was given to the other one.",
    Keeper.REVOCATIONS: "Each client keeps the list that it has, and says why.",
    Keeper.SERVICE: "No client was sent anything: nothing is shown.",
    Keeper.WITNESS: "Each client compares what it is handed out, and says what is wrong.",
}


def heading(scene: Scene) -> str:
    """Who they are."""
    if scene.act is Act.WAVE and scene.wave is not None:
        return f"VICTIMS  {scene.wave.people} people who did not ask"
    return "VICTIMS  Alice, Bob and Carol"


def lines(scene: Scene, width: int, height: int) -> Lines:
    """What stands in it, in so many cells."""
    match scene.act:
        case Act.OPENING:
            return _opening(scene)
        case Act.TALK | Act.END:
            return _talk(scene, width, height)
        case Act.ATTACK:
            return _attack(scene, width, height)
        case Act.WAVE:
            return _wave(scene, width)


def _opening(scene: Scene) -> Lines:
    honest = [person for person in scene.people if person.name != "Mallory"]
    return [
        line
        for person in honest
        for line in (
            Content.assemble((f"{person.name:<7}", "bold"), str(person.number)),
            Content.styled(f"  code {person.code}, certificate {person.fingerprint[:8]}", QUIET),
        )
    ]


def _talk(scene: Scene, width: int, height: int) -> Lines:
    """The last messages, each of them whole."""
    told: Lines = []
    for said in reversed(scene.heard):
        lines = _said(said, width)
        if len(lines) + len(told) > height:
            break
        told = [*lines, *told]
    return told


def _said(said: Said, width: int) -> Lines:
    verdicts = sorted(set(said.verdicts.values()), key=str)
    badges = ["✗ NOT SHOWN" if verdict is None else VERDICT_WORDS[verdict] for verdict in verdicts]
    return [
        *(Content.assemble(badge(words), f"  {said.number}") for words in badges),
        *paragraph(f"{said.speaker}: {said.text}", width, indent=2),
    ]


def _attack(scene: Scene, width: int, height: int) -> Lines:
    outcome = scene.outcome
    if outcome is None:
        return [*_talk(scene, width, height - 2), Content(), Content.styled("- nothing new yet", QUIET)]
    if scene.lit < len(outcome.checks):
        shown: Lines = [Content.styled("- being checked", QUIET), Content(), Content()]
    else:
        reason = cut(list(paragraph(outcome.reason, width)), max(height - CHECKS_ROOM, 2))
        shown = [*_verdict(outcome), *reason, *_words(outcome, width), Content()]
    if not outcome.checks:
        keeper = None if outcome.by is None else outcome.by.keeper
        shown += [] if keeper is None else paragraph(UNCHECKED[keeper], width, QUIET)
        return _with_talk(shown, scene, width, height)
    shown += _checks(outcome.checks, scene.lit, width, height - len(shown) - 2)
    if scene.lit < len(outcome.checks):
        return shown
    return _with_talk(_with_counts(shown, outcome, width, height), scene, width, height)


def _verdict(outcome: Outcome) -> Lines:
    number = "" if outcome.message is None or outcome.message.sender is None else f"  {outcome.message.sender}"
    return [Content.assemble(badge(outcome.badge or REFUSED), number)]


def _words(outcome: Outcome, width: int) -> Iterator[Content]:
    """What the client shows of the message's own words."""
    message = outcome.message
    if message is not None:
        shown = f"“{message.text}”" if message.place is Place.INBOX else APART.get(message.place, f"- {message.place}")
        yield from paragraph(shown, width, "" if message.place is Place.INBOX else QUIET)


def _with_counts(shown: Lines, outcome: Outcome, width: int, height: int) -> Lines:
    counts = Counter(check.outcome for check in outcome.checks)
    words = ", ".join(f"{count} {WORDS[each]}" for each, count in counts.items())
    shown = fitting(shown, [Content(), *paragraph(words, width)], height)
    return fitting(
        shown, [*paragraph(f"compared: {outcome.compared}", width, QUIET)] if outcome.compared else [], height
    )


def _with_talk(shown: Lines, scene: Scene, width: int, height: int) -> Lines:
    """Where there is room, what was said before."""
    room = height - len(shown) - 2
    before = _talk(scene, width, room) if room >= TALK_ROOM else []
    return [*shown, Content(), Content.styled("said before:", QUIET), *before] if before else shown


def _checks(checks: tuple[Check, ...], lit: int, width: int, height: int) -> Lines:
    """One below the other with what each compared, or side by side where the window is low."""
    if len(checks) <= height:
        return [_check(check, place < lit, width) for place, check in enumerate(checks)]
    half = (len(checks) + 1) // 2
    pairs = zip(checks[:half], [*checks[half:], None], strict=False)
    return [
        _check(left, place < lit, NAME_WIDTH) + (_check(right, place + half < lit, NAME_WIDTH) if right else Content())
        for place, (left, right) in enumerate(pairs)
    ]


def _check(check: Check, lit: bool, width: int) -> Content:
    name = f"{check.number:>2} {check.name}"
    if not lit:
        return Content.styled(f"  {name}".ljust(NAME_WIDTH), QUIET)
    sign, ink = SIGNS[check.outcome]
    shown = Content.assemble((sign, ink), (f" {name}".ljust(NAME_WIDTH - 1), ink if check.outcome == "failed" else ""))
    if width <= NAME_WIDTH:
        return shown
    word = Content.styled(f" {WORDS[check.outcome]:<12}", ink)
    return (shown + word + Content.styled(check.compared, QUIET)).truncate(width, ellipsis=True)


def _wave(scene: Scene, width: int) -> Lines:
    latest: dict[str, Struck] = {each.victim: each for each in scene.struck if isinstance(each, Struck)}
    reporters = {each.victim for each in scene.struck if isinstance(each, Reported)}
    return [_victim(each, each.victim in reporters, width) for each in latest.values()]


def _victim(struck: Struck, reported: bool, width: int) -> Content:
    words = PLACE_WORDS.get(struck.place, f"? {struck.place.upper()}")
    told = "⚑ reports it" if reported else struck.shown or struck.why.removeprefix("This number ")
    row = Content.assemble(f"{struck.victim:<5} ", badge(f"{words:<11}"), "  ")
    room = width - row.cell_length
    return (row + (told if len(told) <= room else told.partition(",")[0])).truncate(width, ellipsis=True)
