"""A token that asks not to be verified."""

from identity.passport import canonical_json
from lab.attacks.attack import Attack, Outcome, check
from lab.forgery import msg_header, unsigned_token
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Say `alg: none` and leave the signature empty (RFC 8725 §2.1)."""
    framed = stage.mallory.framed(stage.group, "No signature needed.")
    header = canonical_json(msg_header(stage.mallory.x5u) | {"alg": "none"})
    claims = canonical_json(stage.mallory.claims(stage.group, framed))
    return await stage.send_proven(unsigned_token(header, claims), framed)


ATTACK = Attack(
    "no-algorithm",
    "Ask not to be checked",
    "Mallory's token names the algorithm `none` and has no signature.",
    check(2),
    run,
)
