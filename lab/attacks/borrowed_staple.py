"""The good status of another certificate."""

from dataclasses import replace

from identity.status.ocsp import decode_query, encode_query, sign_response
from identity.status.revocation import CertificateStatus, StatusState
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CUSTOMER
from lab.readings import undecided
from lab.seams import checks
from lab.stage import Stage

A_YEAR, A_DAY = 365 * 86_400, 86_400  # seconds
SENT = "an honest proof by a certificate for a year, and its issuer's response about another one"


async def run(stage: Stage) -> Outcome:
    """Write with a certificate that was withdrawn, and staple the carrier's good word for a later one."""
    bribed, now = await stage.bribed(), stage.now()
    withdrawn, present = (bribed.carrier.device(CUSTOMER, now, A_YEAR) for _ in range(2))
    query = decode_query(encode_query(present.chain[0], present.chain[1], CUSTOMER))
    good = CertificateStatus(StatusState.GOOD)
    key, issuer = bribed.carrier.issuer_key, bribed.carrier.issuer
    staple = sign_response(key, issuer, query, good, now=now, lifetime=A_DAY)
    found = await bribed.write(withdrawn, "This is my old telephone.", staple)
    return undecided(replace(found, sent=SENT), check(13))


ATTACK = Attack(
    "borrowed-staple",
    "Borrow a good status",
    "A thief has a long-lived certificate that was withdrawn, and shows its issuer's good word for another one.",
    check(13),
    run,
    story=(
        "A certificate for a year needs the word of its issuer that it still holds, and its device carries that along. "
        "A thief has such a certificate, with its key; the owner had it withdrawn and has a new one, for the same "
        "number and by the same issuer, whose status is good and for everybody to see. The thief staples that. But a "
        "status names the certificate that it is about: the recipient sees CANNOT CHECK, never a verified number."
    ),
    has="a withdrawn certificate for a year, and another one's status",
    sees="CANNOT CHECK, never a mark",
    without=(checks.STAPLED,),
)
