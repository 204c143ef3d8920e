"""An issuer below one that may have none."""

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.issuing import issue_device_certificate, issuer_certificate
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.bribed import CUSTOMER, RANGE
from lab.foreign import LIFETIME, PUBLISHED
from lab.mallory import Credentials
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Certify a reseller below an issuer whose path length is 0, and invite Bob with what that one certifies."""
    bribed, now = await stage.bribed(), stage.now()
    carrier, key, device = bribed.carrier, *(ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    reseller = issuer_certificate(
        carrier.issuer_key, carrier.issuer, key.public_key(), "Mallory's reseller", RANGE, now, LIFETIME
    )
    leaf = issue_device_certificate(key, reseller, device.public_key(), CUSTOMER, now)
    chain = tuple(each.public_bytes(Encoding.DER) for each in (leaf, reseller, carrier.issuer))
    return await bribed.invite(
        Credentials(CUSTOMER, device, chain, PUBLISHED), "a Welcome by a leaf under an issuer that may not be one"
    )


ATTACK = Attack(
    "too-deep",
    "Sell the right to certify",
    "Mallory is a small carrier that may certify devices alone, and makes an issuer of somebody who pays.",
    check(5),
    run,
    story=(
        "A carrier has delegated a range to Mallory's company for its own customers, with a certificate that "
        "admits no issuer below it. She sells the right to certify to a reseller whom the carrier has never seen, "
        "within the range, so that no list of numbers is broken. How deep a path may go stands in each issuer's "
        "certificate: Bob's client does not join, and notes that an invitation could not be accepted."
    ),
    has="an issuer's key with path length 0",
    sees="a line: an invitation could not be accepted",
    without=(checks.CHAIN,),
)
