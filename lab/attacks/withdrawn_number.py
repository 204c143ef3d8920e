"""A number that the authority has withdrawn."""

import secrets
from dataclasses import replace

from lab.accusing import hand_in, item_of, report_of
from lab.approach import befriend, write
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.mallory import Heard, Mallory
from lab.seams import admission
from lab.stage import Stage

REPORTS = 10  # independent ones, after which a number is withdrawn
SENT = "an honest proof, with a certificate that has not ended"


async def run(stage: Stage) -> Outcome:
    """Become Carol's contact, be reported by ten people in ten conversations, and go on writing to Carol."""
    carol, sender = stage.people[2], await stage.accomplice()
    group_id = await befriend(sender, carol)
    for _ in range(REPORTS):
        await _be_reported(stage, sender)
    await carol.session.refresh_statuses()
    return replace(await write(sender, carol, group_id, "I have an investment for you."), sent=SENT)


async def _be_reported(stage: Stage, sender: Mallory) -> None:
    """Sign something for a conversation with somebody new, who reports it."""
    group_id, reporter = secrets.token_bytes(16), (await stage.accomplice()).device
    framed = sender.framed(group_id, "Send it to my other account, please.")
    item = item_of(stage, sender.device.chain, Heard(0, sender.prove(group_id, framed), framed))
    await hand_in(stage, report_of(stage, reporter, replace(item, group=sender.group_uri(group_id))))


ATTACK = Attack(
    "withdrawn-number",
    "Go on after being withdrawn",
    "Ten people have reported a number, and the authority has withdrawn it; its holder writes to a contact.",
    admission.rule("number withdrawn"),
    run,
    story=(
        "A swindler has a genuine number, a certificate that has days to live, and Carol, who has accepted him. "
        "Ten people in ten conversations have reported him with proof, and the authority has withdrawn the number: "
        "it certifies it no more, and says so in its list. He goes on with the certificate that he has. Carol's "
        "client holds back what he writes, although he is a contact, and says why."
    ),
    has="a withdrawn number, a certificate that has not ended, and a contact",
    sees="the message is held back: the number was withdrawn",
    without=(admission.left_out("number withdrawn"),),
)
