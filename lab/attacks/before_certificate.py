"""A message dated to a time when its certificate was not valid."""

from identity.certificate_fields import load_certificate, validity
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.seams import checks
from lab.stage import Stage

A_DAY = 86_400  # seconds


async def run(stage: Stage) -> Outcome:
    """Sign with an `iat` from before the certificate's first second."""
    framed = stage.mallory.framed(stage.group, "I had this number yesterday already.")
    begins, _ = validity(load_certificate(stage.mallory.device.chain[0]))
    claims = stage.mallory.claims(stage.group, framed)
    return await stage.send_proven(stage.mallory.sign(claims | {"iat": begins - A_DAY}), framed)


ATTACK = Attack(
    "before-certificate",
    "Sign before the certificate",
    "Mallory dates her message to yesterday, when the certificate that she signs with did not exist.",
    check(5),
    run,
    story=(
        "Mallory has had this number since today. She wants to prove that she had it yesterday. A certificate "
        "proves nothing about a time in which it did not exist: the recipient sees PROOF FAILED, and the message "
        "is held back."
    ),
    has="a certificate since today",
    sees="PROOF FAILED; the message is held back",
    without=(checks.CHAIN, checks.TIME),
)
