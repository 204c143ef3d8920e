"""Orders of certificates with authority tokens that are for something else, and what the authority makes of them."""

from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from client.credentials.token_authority import Wanted
from client.errors import CertificationRefusedError
from identity.certificates import leaf_number, leaf_public_point, public_point
from identity.number import TelephoneNumber
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.mallory import Credentials


async def token_of(authority: EnrolmentClient, device: Credentials, account: bytes, key: bytes) -> str:
    """A genuine token of a device's number, for the account and the key with these thumbprints."""
    return await authority.token(device.key, device.chain, Wanted(device.number, account, key))


async def order(
    authority: EnrolmentClient, token: str, number: TelephoneNumber, key: ec.EllipticCurvePrivateKey, sent: str
) -> Outcome:
    """Order a number's certificate for a key on a token; it has won if one is issued for this number and key."""
    anchors = await authority.anchors()
    try:
        enrolled = await authority.certify_by_token(token, key, number, anchors)
    except CertificationRefusedError as refusal:
        check = getattr(refusal.problem, "check", None)
        rule = refusal.code if check is None else str(check)
        return Outcome(Guard(Keeper.CERTIFICATION, rule), f"{refusal.problem.detail}.", sent=sent)
    leaf = enrolled.chain[0]
    won = (leaf_number(leaf), leaf_public_point(leaf)) == (number, public_point(key.public_key()))
    return Outcome(None, f"A certificate of {number} was issued for her key.", sent=sent, won=won)
