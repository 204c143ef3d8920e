"""A report about the reporter's own words."""

from lab.accusing import item_of, judged, report_of
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.mallory import Heard
from lab.seams import reports
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Say something, and report it oneself."""
    proof, framed = await stage.send_honestly(stage.group, "I am the worst.")
    item = item_of(stage, stage.mallory.device.chain, Heard(0, proof, framed))
    return await judged(stage, report_of(stage, stage.mallory.device, item), "Mallory's own words, reported by Mallory")


ATTACK = Attack(
    "own-report",
    "Report oneself",
    "Mallory reports her own message, to have a status ended on appeal and its reporters struck off.",
    reports.authority("7"),
    run,
    story=(
        "Mallory wants reports that she controls among those about her number: whoever wins an appeal takes the "
        "weight from everybody who reported them. Nobody can be witness against themself and for themself: a "
        "report about the reporter's own number is refused and counts for nothing."
    ),
    without=(reports.ACCUSED,),
    spoils=True,
)
