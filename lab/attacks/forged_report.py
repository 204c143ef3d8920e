"""A report with a proof that the reporter has made."""

from dataclasses import replace

from lab.accusing import item_of, judged, report_of
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.mallory import Heard
from lab.seams import reports
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Sign a text for Alice's number with Mallory's key, and report it with Alice's certificate."""
    mallory, alice, group = stage.mallory, stage.alice, stage.other_group
    framed = mallory.framed(group, "Pay or I publish it.", sender=alice.number)
    proof = mallory.sign(mallory.claims(group, framed) | {"orig": {"tn": alice.number.digits}})
    item = item_of(replace(stage, group=group), alice.session.account.chain, Heard(0, proof, framed))
    reporter = (await stage.accomplice()).device
    return await judged(stage, report_of(stage, reporter, item), "a proof for Alice's number by Mallory's key")


ATTACK = Attack(
    "forged-report",
    "Report a forged proof",
    "Mallory makes a proof for Alice's number with her own key, and has Alice reported by it.",
    reports.authority("8"),
    run,
    story=(
        "Mallory has Alice's certificate, which is public, and no key of hers. She wants Alice to be reported for "
        "words that Mallory wrote. The token must be by the certificate's own key: the report is refused and "
        "counts for nothing."
    ),
    has="Alice's certificate, which is public",
    sees="nothing; the authority refuses the report",
    without=(reports.MESSAGES,),
)
