"""A tag that commits to other words."""

from client.defence.franking import tagged
from client.formats.framing import wrap
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import admission
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Send a message whose franking tag, which the service confirms, commits to another one."""
    mallory, group = stage.mallory, stage.group
    await mallory.listen(group)
    framed = mallory.framed(group, "Pay, or everybody gets to see it.")
    harmless = mallory.framed(group, "Have a nice day.")
    data = wrap(mallory.prove(group, framed), framed)
    return await stage.post(
        mallory.encrypt(group, data, tagged(harmless)), "a proof of these words, and a tag of others"
    )


ATTACK = Attack(
    "wrong-frank",
    "Deny it afterwards",
    "Mallory sends a threat with the franking tag of a greeting, to have said the greeting if it is reported.",
    admission.rule("frank does not fit"),
    run,
    story=(
        "Mallory wants to threaten and to deny it: the delivery service confirms the tag that it sees, and she "
        "tags other words than she sends. A report by what the service confirms would then show a greeting. Each "
        "recipient's client compares the tag with what it decrypts: this one does not fit, and the message is held "
        "back."
    ),
    has="a number and a place in the group",
    sees="the message is held back: the service could not confirm it",
    without=(admission.left_out("frank does not fit"),),
)
