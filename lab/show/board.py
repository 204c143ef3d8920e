"""The scoreboard at the foot: what was counted so far, and how far a wave of spam has come."""

from textual.content import Content

from client.words.spelling import counted
from lab.attacks.attack import Attack
from lab.show.lines import BAD, GOOD, QUIET, STRONG, Lines
from lab.show.scene import Act, Scene
from lab.sparks import sparks
from lab.story import Defence, Tally
from lab.wave import PEOPLE

ROWS = 4
NAME = 12  # cells of a defence's words
NAMES = {Defence.NONE: "no defence", Defence.ADMISSION: "admission", Defence.REPORTS: "+ reports"}
COLUMNS = ("tried", "inbox", "request", "held", "reports", "refreshed")
HEADS = "".join(f"{head:>{len(head) + 2}}" for head in COLUMNS)
SAW = "  saw it"
ATTACKS = "attacks "


def lines(scene: Scene, width: int) -> Lines:
    """Its rows, in so many cells."""
    return _waves(scene, width) if scene.tallies and scene.act in (Act.WAVE, Act.END) else _attacks(scene, width)


def _attacks(scene: Scene, width: int) -> Lines:
    refused = f"{'✓' if scene.held else '-'} {counted(scene.held, 'attack')} refused"
    wrong = Content.styled(f"✗ {scene.unheld} not as named", BAD) if scene.unheld else Content("- 0 got through")
    services = (
        "" if scene.services is None else f"authority {scene.services.authority}, delivery {scene.services.delivery}"
    )
    verified = f"{'✓' if scene.verified else '-'} {counted(scene.verified, 'honest message')} verified"
    return [
        Content.assemble(
            (verified, GOOD if scene.verified else QUIET),
            "   ",
            (refused, GOOD if scene.held else QUIET),
            "   ",
            wrong,
        ),
        _strip(scene, width),
        Content.styled("✓ stopped by its guard  ✗ not stopped by it  - to come", QUIET),
        Content.styled(services, QUIET).truncate(width, ellipsis=True),
    ]


def _strip(scene: Scene, width: int) -> Content:
    """One sign for each attack of the story, with a heading where there is room; else those around the present one."""
    first = max(0, min(len(scene.attempts) - width // 2, len(scene.planned) - width))
    signs = [_sign(scene, attack) for attack in scene.planned[first : first + width]]
    heading = ATTACKS if len(ATTACKS) + len(signs) <= width else ""
    return Content.assemble((heading, QUIET), *signs)


def _sign(scene: Scene, attack: Attack) -> Content:
    attempt = scene.attempts.get(attack.name)
    if attempt is None:
        return Content.styled("-", QUIET)
    return Content.styled("✓", GOOD) if attack.held(attempt.outcome) else Content.styled("✗", BAD)


def _waves(scene: Scene, width: int) -> Lines:
    shown = [Content.styled(f"{'':<{NAME}}{HEADS}{SAW}", QUIET)]
    return shown + [_wave(defence, scene.tallies.get(defence), width) for defence in Defence]


def _wave(defence: Defence, tally: Tally | None, width: int) -> Content:
    name = f"{NAMES[defence]:<{NAME}}"
    if tally is None:
        return Content.styled(name, QUIET)
    values = (tally.attempted, tally.inbox, tally.requests, tally.quarantined, tally.reports, tally.refreshed)
    counts = "".join(f"{value:>{len(head) + 2}}" for head, value in zip(COLUMNS, values, strict=True))
    chart = f"{sparks(tally.saw, len(PEOPLE)):<{len(PEOPLE)}}"
    return Content.assemble(
        (name, STRONG), counts, "  ", (chart, "$text-warning"), f" {tally.saw[-1] if tally.saw else 0}"
    )
