"""An authority token that was made for somebody else's account."""

from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from client.credentials.token_authority import thumbprint
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.ordering import order, token_of
from lab.seams import certification
from lab.stage import Stage

SENT = "an order by an account of Mallory's, and a genuine token that was made for another account"


async def run(stage: Stage) -> Outcome:
    """Take the token that somebody has got for a renewal, and order with it before them (RFC 9448 §6)."""
    victim, key = (await stage.accomplice()).device, ec.generate_private_key(ec.SECP256R1())
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as theirs:
        token = await token_of(theirs, victim, thumbprint(theirs.acme.key), thumbprint(victim.key))
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as hers:
        return await order(hers, token, victim.number, key, SENT)


ATTACK = Attack(
    "stolen-token",
    "Order with a stolen token",
    "Mallory has got hold of somebody's authority token, and orders a certificate with it for her own key.",
    certification.TOKEN_ACCOUNT.guard,
    run,
    story=(
        "Whoever proves a number gets an authority token, which shows the authority that it may certify the number. "
        "Mallory has read one on its way, unused, and hands it in first, with an order of her own account. A token "
        "names the account that it is for, and the one key that it certifies; she has neither, and gets nothing. The "
        "owner's order is not disturbed."
    ),
    has="a genuine token of somebody else's number",
    sees="nothing: no certificate is issued",
    without=(certification.TOKEN_ACCOUNT, certification.TOKEN_KEY),
)
