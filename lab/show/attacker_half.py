"""The attacker's half: who attacks, what they do, what they sent, and what came of it for them."""

from textual.content import Content

from client.words.spelling import counted
from lab.narration import DEFENCE_WORDS, STOPPED_BY
from lab.show.lines import BAD, GOOD, QUIET, STRONG, WARNING, Lines, fitting, paragraph
from lab.show.scene import Act, Scene
from lab.story import Reported
from lab.wave import SPAM

MALLORY = "Mallory"
BEFORE = "Mallory is a member like the others. Her number is proven, and for now she keeps to the rules."
AFTER = "She follows no rule now. Each attempt is made with real octets, through the real services, at real clients."
ANSWERED, SPREADS = "The authority:", "At their next refresh the others know it."
GENUINE = "The number is genuine and its certificate is in order: no check can refuse it."


def heading(scene: Scene) -> str:
    """Who it is."""
    if scene.act is Act.WAVE and scene.wave is not None:
        return f"SPAMMER  {scene.wave.spammer}"
    number = next((f"  {person.number}" for person in scene.people if person.name == MALLORY), "")
    return f"ATTACKER  {MALLORY}{number}"


def lines(scene: Scene, width: int, height: int) -> Lines:
    """What stands in it, in so many cells."""
    match scene.act:
        case Act.OPENING | Act.TALK:
            return _before(scene, width)
        case Act.ATTACK if scene.attack is None:
            return list(paragraph(AFTER, width))
        case Act.ATTACK:
            return _attack(scene, width, height)
        case Act.WAVE:
            return _wave(scene, width, height)
        case Act.END:
            return _end(scene, width)


def _before(scene: Scene, width: int) -> Lines:
    mallory = next((person for person in scene.people if person.name == MALLORY), None)
    if mallory is None:
        return []
    return [
        Content(f"code {mallory.code} received"),
        Content(f"certificate {mallory.fingerprint[:8]}"),
        Content(),
        *paragraph(BEFORE, width),
    ]


def _attack(scene: Scene, width: int, height: int) -> Lines:
    assert scene.attack is not None
    attack, outcome = scene.attack, scene.outcome
    shown = [*paragraph(attack.deed, width), Content()]
    if outcome is None:
        shown += [Content.styled("to be stopped by", QUIET), Content.styled(f"  {attack.guard}", STRONG)]
    else:
        shown += [*paragraph(f"sent: {outcome.sent}", width, QUIET), Content()]
        shown += _result(scene, width)
    return fitting(shown, [Content(), *paragraph(attack.story, width, QUIET)], height) if attack.story else shown


def _result(scene: Scene, width: int) -> Lines:
    assert scene.attack is not None
    assert scene.outcome is not None
    attack, outcome = scene.attack, scene.outcome
    if scene.lit < len(outcome.checks):
        return [Content.styled("- being checked", QUIET)]
    if outcome.by is None:
        return [Content.styled("✗ GOT THROUGH", BAD)]
    stopped = f"stopped by {STOPPED_BY[outcome.by.keeper]}{outcome.by}"
    if attack.held(outcome):
        sip = [Content.styled(f"  in a call: SIP {outcome.code}", QUIET)] if outcome.code else []
        return [*paragraph(f"✓ {stopped}", width, GOOD), *sip]
    return [
        *paragraph(f"✗ {stopped}", width, WARNING),
        *paragraph(f"should have been stopped by {attack.guard}", width, BAD),
    ]


def _wave(scene: Scene, width: int, height: int) -> Lines:
    assert scene.wave is not None
    tally = scene.tallies[scene.wave.defence]
    shown = [
        Content.assemble("writes to each of them  ", (f"{tally.attempted} of {scene.wave.people}", STRONG)),
        *paragraph(f"“{SPAM}”", width, WARNING),
        Content(),
        *paragraph(GENUINE, width),
        Content(),
        Content.assemble("against them: ", (DEFENCE_WORDS[scene.wave.defence], STRONG)),
    ]
    reached = tally.saw[-1] if tally.saw else 0
    came = f"{reached} of {tally.attempted} people have come across it"
    shown = fitting(shown, [*paragraph(came, width)], height)
    answer = next((each.answer for each in scene.struck if isinstance(each, Reported)), "")
    told = [*paragraph(f"{ANSWERED} {answer} {SPREADS}", width, GOOD)] if answer else []
    return fitting(shown, [Content(), *told], height) if told else shown


def _end(scene: Scene, width: int) -> Lines:
    finished = scene.finished
    assert finished is not None
    refused, through, elsewhere = finished.refused, finished.through, finished.misattributed
    spam = (f"{DEFENCE_WORDS[each.defence]}: {each.tally.saw[-1]} of {each.tally.attempted}" for each in finished.waves)
    return [
        *paragraph(
            f"{'✓' if refused else '-'} {counted(refused, 'attack')} refused", width, GOOD if refused else QUIET
        ),
        *paragraph(f"{'✗' if through else '-'} {through} got through", width, BAD if through else QUIET),
        *paragraph(f"✗ {elsewhere} stopped by another guard" if elsewhere else "", width, BAD),
        Content(),
        *paragraph("people who came across the spam:" if finished.waves else "", width, QUIET),
        *(line for words in spam for line in paragraph(words, width)),
    ]
