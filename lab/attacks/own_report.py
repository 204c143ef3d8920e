"""A report about the reporter's own words."""

from dataclasses import replace

from lab.accusing import item_of, judged, report_of
from lab.approach import approach
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.mallory import Heard
from lab.seams import reports
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Write to Bob from a new number, and report it from that number."""
    sender = await stage.accomplice()
    written = (await approach(sender, stage.people[1], "I am the worst.")).message
    assert written is not None, "what a stranger writes stands behind the request"
    heard = Heard(0, written.passport or b"", written.framed)
    item = replace(item_of(stage, sender.device.chain, heard), group=sender.group_uri(written.group_id))
    return await judged(stage, report_of(stage, sender.device, item), "somebody's own words, reported by themself")


ATTACK = Attack(
    "own-report",
    "Report oneself",
    "An accomplice reports his own message, to have a status ended on appeal and its reporters struck off.",
    reports.authority("7"),
    run,
    story=(
        "An accomplice wants reports that he controls among those about his number: whoever wins an appeal takes the "
        "weight from everybody who reported them. Nobody can be witness against themself and for themself: a "
        "report about the reporter's own number is refused and counts for nothing."
    ),
    has="a number of his own",
    sees="nothing; the authority refuses the report",
    without=(reports.ACCUSED,),
)
