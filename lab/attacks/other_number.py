"""An authority token of one number, for an order of another one."""

from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from client.credentials.token_authority import thumbprint
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.ordering import order, token_of
from lab.seams import certification
from lab.stage import Stage

SENT = "an order of Alice's number, and a genuine token of Mallory's"


async def run(stage: Stage) -> Outcome:
    """Get a token of Mallory's number, and order a certificate of Alice's with it (RFC 9448 §6)."""
    mallory, key = stage.mallory.device, ec.generate_private_key(ec.SECP256R1())
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as authority:
        token = await token_of(authority, mallory, thumbprint(authority.acme.key), thumbprint(key))
        return await order(authority, token, stage.alice.number, key, SENT)


ATTACK = Attack(
    "other-number",
    "Order another number",
    "Mallory proves her own number, and orders a certificate of Alice's with the token that she gets.",
    certification.TOKEN_LIST.guard,
    run,
    story=(
        "Mallory has a number and the right to a certificate of it. The token authority and the authority that "
        "certifies are two, and she hopes that the second one looks only at whether the first has said yes. A token "
        "holds the very list of numbers that was proved, and it is compared with what is ordered: Alice's number is "
        "certified for nobody."
    ),
    has="a genuine token of her own number",
    sees="nothing: no certificate is issued",
    without=(certification.TOKEN_LIST,),
)
