"""A scene for the tests: an authority, two people in a group, and every byte between them open to change."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import settings

from identity.base64url import encode_base64url
from identity.binding import (
    MessageContext,
    ReceivedMessage,
    Verification,
    attest_message,
    group_uri,
    user_uri,
    verify_message,
)
from identity.certificate_fields import TN_AUTH_LIST_OID
from identity.certificates import ChainVerifier, TrustAnchors, public_point
from identity.issuing import issue_device_certificate, issuer_certificate, root_certificate
from identity.number import TelephoneNumber
from identity.passport import DeterministicES256, canonical_json, split_token
from identity.status.revocation import NO_REVOCATIONS, Revocations
from identity.tn_auth_list import OneNumber, TelephoneNumberRange, TNAuthList

# A busy machine must not fail a property.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

NOW = 1_800_000_000
YEAR = 365 * 86_400
HOST = "example.org"
BASE_URL = "http://127.0.0.1:8441"
GROUP_ID = b"the group's id.."
FRAMED = b"\x1aapplication/mimi-content" + b"Watson, come here."
ALICE = TelephoneNumber.from_digits("12025550142")
BOB = TelephoneNumber.from_digits("12025550143")
RANGE = TNAuthList((TelephoneNumberRange("12025550100", 100),))

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def private_key(number: int) -> ec.EllipticCurvePrivateKey:
    """The P-256 key with this private value: the same in every run."""
    return ec.derive_private_key(number, ec.SECP256R1())


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def sign_parts(key: ec.EllipticCurvePrivateKey, header: bytes, payload: bytes) -> bytes:
    """Sign any two octet strings as a JWS."""
    signing_input = encode_base64url(header) + b"." + encode_base64url(payload)
    signature = DeterministicES256(DeterministicES256.SHA256).sign(signing_input, key)
    return signing_input + b"." + encode_base64url(signature)


def key_usage(**usages: bool) -> x509.KeyUsage:
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: usages.get(name, False) for name in names})


Extension = tuple[x509.ExtensionType, bool]


def tn_extension(entries: TNAuthList | bytes, critical: bool = False) -> Extension:
    octets = entries if isinstance(entries, bytes) else entries.encode()
    return x509.UnrecognizedExtension(TN_AUTH_LIST_OID, octets), critical


LEAF_FIELDS: tuple[Extension, ...] = (
    (x509.BasicConstraints(ca=False, path_length=None), True),
    (key_usage(digital_signature=True), True),
)


def any_certificate(
    issuer_key: PrivateKey,
    issuer_name: x509.Name,
    public_key: Any,
    extensions: Sequence[Extension],
    *,
    name: str = "somebody",
    period: tuple[int, int] = (NOW - 3_600, NOW + 7 * 86_400),
) -> x509.Certificate:
    """Sign a certificate with any fields; key identifiers are added unless they are given."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer_name)
        .public_key(public_key)
        .serial_number(4_711)
        .not_valid_before(datetime.fromtimestamp(period[0], UTC))
        .not_valid_after(datetime.fromtimestamp(period[1], UTC))
    )
    given = {type(extension) for extension, _ in extensions}
    if x509.SubjectKeyIdentifier not in given:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
    if x509.AuthorityKeyIdentifier not in given:
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
        builder = builder.add_extension(own, False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    deterministic = True if isinstance(issuer_key, ec.EllipticCurvePrivateKey) else None
    return builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=deterministic)


@dataclass(frozen=True)
class Authority:
    """A root and an issuer for the range +1 202-555-0100 to 0199."""

    root_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: private_key(1_001))
    issuer_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: private_key(1_002))

    @property
    def root(self) -> x509.Certificate:
        return root_certificate(self.root_key, "Test root", NOW - YEAR, 10 * YEAR, serial=1)

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors((self.root,))

    def issuer(self, authority: TNAuthList = RANGE) -> x509.Certificate:
        key = self.issuer_key.public_key()
        return issuer_certificate(self.root_key, self.root, key, "Test issuer", authority, NOW, YEAR, serial=2)

    def device_chain(
        self, key: ec.EllipticCurvePrivateKey, number: TelephoneNumber, **options: int
    ) -> tuple[bytes, ...]:
        issuer = self.issuer()
        leaf = issue_device_certificate(self.issuer_key, issuer, key.public_key(), number, NOW, serial=3, **options)
        return der(leaf), der(issuer)

    def chain(self, extensions: Sequence[Extension], key: Any = None, **options: Any) -> tuple[bytes, ...]:
        """A chain whose leaf has any extensions."""
        public_key = private_key(1).public_key() if key is None else key
        issuer = self.issuer()
        return der(any_certificate(self.issuer_key, issuer.subject, public_key, extensions, **options)), der(issuer)


@dataclass
class Scene:
    """Alice has sent a message to a group with Bob; `message` and `context` are honest until a test changes them."""

    authority: Authority
    chains: ChainVerifier
    key: ec.EllipticCurvePrivateKey
    message: ReceivedMessage
    context: MessageContext
    seen: set[bytes] = field(default_factory=set)
    revocations: Revocations = NO_REVOCATIONS

    def verify(self, **options: int) -> Verification:
        seen = self.seen.__contains__
        return verify_message(self.message, self.context, self.chains, seen, self.revocations, **options)

    def change_message(self, **changes: Any) -> None:
        self.message = dataclasses.replace(self.message, **changes)

    def change_context(self, **changes: Any) -> None:
        self.context = dataclasses.replace(self.context, **changes)

    def attest_message(self, **changes: Any) -> None:
        """Let Alice sign again, with other inputs to `attest`."""
        honest: dict[str, Any] = {
            "base_url": BASE_URL, "number": ALICE, "group_uri": self.context.group_uri, "peer": BOB,
            "framed": self.message.framed, "now": NOW,
        }  # fmt: skip
        self.change_message(passport=attest_message(self.key, self.context.sender_chain[0], **(honest | changes)))

    def sign_claims(self, **changes: Any) -> None:
        """Let Alice's key sign claims that `attest` would never make; None removes a claim."""
        self._sign(lambda header, claims: (header, _changed(claims, changes)))

    def sign_header(self, **changes: Any) -> None:
        self._sign(lambda header, claims: (_changed(header, changes), claims))

    def _sign(self, edit: Callable[[dict[str, Any], dict[str, Any]], tuple[object, object]]) -> None:
        header, claims = edit(*self.token_parts())
        self.change_message(passport=sign_parts(self.key, canonical_json(header), canonical_json(claims)))

    def token_parts(self) -> tuple[dict[str, Any], dict[str, Any]]:
        assert self.message.passport is not None
        parts = split_token(self.message.passport)
        return dict(parts.unverified_header), dict(parts.unverified_claims)

    def use_chain(self, chain: tuple[bytes, ...], key: ec.EllipticCurvePrivateKey | None = None) -> None:
        """Give Alice's leaf another certificate chain, and let her sign with it."""
        self.key = key or self.key
        self.change_context(sender_chain=chain, sender_key=public_point(self.key.public_key()))
        self.attest_message()


def _changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (values | changes).items() if value is not None}


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def scene(authority: Authority) -> Scene:
    return honest_scene(authority)


def honest_scene(authority: Authority) -> Scene:
    key = private_key(1)
    chain = authority.device_chain(key, ALICE)
    uri = group_uri(HOST, GROUP_ID)
    message = ReceivedMessage(b"", FRAMED, user_uri(HOST, ALICE), uri)
    context = MessageContext(
        group_uri=uri,
        group_id=GROUP_ID,
        epoch=7,
        sender_leaf=0,
        sender_chain=chain,
        sender_key=public_point(key.public_key()),
        own_number=BOB,
        member_numbers=frozenset({ALICE, BOB}),
        arrived=NOW + 2,
        sender_since=NOW - 100,
    )
    scene = Scene(authority, ChainVerifier(authority.anchors), key, message, context)
    scene.attest_message()
    return scene


def one(number: TelephoneNumber) -> TNAuthList:
    return TNAuthList((OneNumber(number.digits),))
