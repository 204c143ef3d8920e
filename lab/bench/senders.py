"""Senders with chains of their own, each with one message: nothing about a stranger has been seen before."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.binding import MessageContext, ReceivedMessage, attest_message, group_uri, user_uri
from identity.certificates import TrustAnchors, public_point
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList

NOW, YEAR = 1_800_000_000, 365 * 86_400
BASE_URL = "http://127.0.0.1:8441"
GROUP = bytes(range(16))
URI = group_uri("example.org", GROUP)
ALICE, BOB = TelephoneNumber.from_digits("12025550142"), TelephoneNumber.from_digits("12025550143")
FRAMED = bytes(300)


@dataclass(frozen=True, slots=True)
class Sender:
    """One key with its chain, one message that it has signed, and what the message's recipient knows."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]
    message: ReceivedMessage
    context: MessageContext

    @property
    def token(self) -> bytes:
        """The message's PASSporT."""
        return self.message.passport or b""

    def attest(self) -> bytes:
        """Sign the message once more."""
        return _attest(self.key, self.chain)


class Town:
    """A root, one issuer whom everybody knows, and strangers below issuers of their own."""

    def __init__(self) -> None:
        self._root_key, self._root = create_root("Root", NOW, 10 * YEAR)
        self.anchors = TrustAnchors((self._root,))
        self._known = self._issuer()

    def neighbours(self, count: int) -> list[Sender]:
        """So many senders below the one issuer."""
        return [_sender(*self._known) for _ in range(count)]

    def strangers(self, count: int) -> list[Sender]:
        """So many senders, each below an issuer that has certified nobody else."""
        return [_sender(*self._issuer()) for _ in range(count)]

    def _issuer(self) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
        return create_issuer(self._root_key, self._root, "Issuer", numbers, NOW, YEAR)


def _sender(issuer_key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate) -> Sender:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = issue_device_certificate(issuer_key, issuer, key.public_key(), ALICE, NOW)
    chain = (leaf.public_bytes(Encoding.DER), issuer.public_bytes(Encoding.DER))
    message = ReceivedMessage(_attest(key, chain), FRAMED, user_uri("example.org", ALICE), URI)
    members, point = frozenset({ALICE, BOB}), public_point(key.public_key())
    context = MessageContext(URI, GROUP, 3, 0, chain, point, BOB, members, NOW + 1, NOW - 3_600)
    return Sender(key, chain, message, context)


def _attest(key: ec.EllipticCurvePrivateKey, chain: tuple[bytes, ...]) -> bytes:
    return attest_message(
        key, chain[0], base_url=BASE_URL, number=ALICE, group_uri=URI, peer=BOB, framed=FRAMED, now=NOW
    )  # fmt: skip
