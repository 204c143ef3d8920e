"""A token that misuses a public key as a shared secret."""

from identity.binding import x5u_for
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.forgery import msg_header, with_public_key_as_secret
from lab.readings import in_the_name_of
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Say HS512, and make the MAC with Alice's public key, which everybody has (RFC 8725 §2.1)."""
    framed = stage.mallory.framed(stage.group, "My key is your key.", sender=stage.alice.number)
    account = stage.alice.session.account
    header = msg_header(x5u_for(account.authority, account.chain[0])) | {"alg": "HS512"}
    claims = stage.mallory.claims(stage.group, framed) | {"orig": {"tn": stage.alice.number.digits}}
    public_key = account.key.public_key()
    return in_the_name_of(
        stage.alice.number, await stage.send_proven(with_public_key_as_secret(public_key, header, claims), framed)
    )


ATTACK = Attack(
    "algorithm-confusion",
    "Confuse the algorithm",
    "Mallory's token says HS512: she hopes that Alice's public key will be taken for a shared secret.",
    check(2),
    run,
    story=(
        "Mallory has everybody's public keys, for certificates are public. She wants a library that takes the "
        "algorithm from the token: with HS512 it would use Alice's public key as a secret that Mallory knows as "
        "well, and count the token as Alice's. The recipient sees PROOF FAILED, and the message is held back."
    ),
    has="everybody's public keys",
    sees="PROOF FAILED; the message is held back",
    without=(checks.HEADER, checks.SIGNER, checks.NUMBER, checks.SIGNATURE),
)
