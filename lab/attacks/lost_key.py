"""A device whose key was reported as lost."""

from dataclasses import replace

from client.credentials.enrolment import EnrolmentClient
from lab.approach import befriend, write
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks
from lab.stage import Stage

KEY_COMPROMISE = 1  # CRLReason (RFC 5280 §5.3.1)
EARLIER = 45  # seconds; within the tolerance of clocks, so that nothing but the loss speaks against it
SENT = "an honest proof by a stolen key, dated before the loss was reported"


async def run(stage: Stage) -> Outcome:
    """Have a key reported as lost, and sign with it for a moment before that."""
    carol, device = stage.people[2], await stage.accomplice()
    group_id, chain = await befriend(device, carol), device.device.chain
    reported = stage.now()
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as authority:
        await authority.revoke(device.device.key, chain, KEY_COMPROMISE)
    await carol.session.refresh_revocations()
    said = "I told you before they took my telephone: pay him."
    return replace(await write(device, carol, group_id, said, reported - EARLIER), sent=SENT)


ATTACK = Attack(
    "lost-key",
    "Backdate with a stolen key",
    "A thief writes with the key of a device that was removed as lost, and dates it before the report.",
    check(13),
    run,
    story=(
        "A thief has a device and its key. Its owner has removed it as lost, and the certificate is on the list. What "
        "was signed before a revocation counts otherwise: the thief dates the message to a minute before, when the "
        "device was its owner's. But whoever has the key chooses what time it says. A list that names the loss of a "
        "key speaks against all that the key has signed; the recipient sees PROOF FAILED."
    ),
    has="a device's key, which was reported as lost",
    sees="PROOF FAILED; the message is held back",
    without=(checks.KEY_LOSS,),
)
