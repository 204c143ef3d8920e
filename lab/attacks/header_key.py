"""A key in the header of a token."""

from cryptography.hazmat.primitives.asymmetric import ec

from identity.base64url import encode_base64url
from identity.certificates import public_point
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.forgery import msg_header, sign_values
from lab.readings import in_the_name_of
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Sign for Alice's number with a fresh key, and put that key into the header as `jwk` (RFC 7515 §4.1.3)."""
    mallory, key = stage.mallory, ec.generate_private_key(ec.SECP256R1())
    framed = mallory.framed(stage.group, "Check me with the key that I bring.", sender=stage.alice.number)
    point = public_point(key.public_key())
    x, y = (encode_base64url(half).decode() for half in (point[1:33], point[33:]))
    header = msg_header(mallory.x5u) | {"jwk": {"crv": "P-256", "kty": "EC", "x": x, "y": y}}
    claims = mallory.claims(stage.group, framed) | {"orig": {"tn": stage.alice.number.digits}}
    return in_the_name_of(stage.alice.number, await stage.send_proven(sign_values(key, header, claims), framed))


ATTACK = Attack(
    "header-key",
    "Bring the key along",
    "Mallory signs for Alice's number with a new key, and puts that key into the token's header.",
    check(2),
    run,
    story=(
        "Mallory has no key for Alice's number, so she makes one. She wants a library that takes the key from the "
        "token which it is to verify (`jwk`, `x5c`, `jku`). Only the certificate of the sender's own leaf counts, "
        "and a header holds nothing else: the recipient sees PROOF FAILED, and the message is held back."
    ),
    has="a key that she made just now",
    sees="PROOF FAILED; the message is held back",
    without=(
        checks.HEADER,
        checks.NUMBER,
        checks.SIGNATURE,
    ),
)
