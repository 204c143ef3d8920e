"""People with keys, certificates and a gate that a test can close."""

import datetime as dt
from dataclasses import dataclass, field
from functools import cache

import mls_rs as mls
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

NOW = 1_800_000_000
DAY = 86_400
SUITES = (1, 2, 3, 7)
CURVES = {2: (ec.SECP256R1(), 32), 7: (ec.SECP384R1(), 48)}


class RefusalError(Exception):
    """What the gate raises."""


def moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@cache
def authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, certify("authority", key.public_key(), key, "authority")


def certify(name: str, public_key, issuer_key, issuer: str) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(subject(name))
        .issuer_name(subject(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment(NOW - DAY))
        .not_valid_after(moment(NOW + 30 * DAY))
        .sign(issuer_key, hashes.SHA256())
    )


def device_key(suite: int) -> tuple[bytearray, object]:
    if suite in CURVES:
        curve, size = CURVES[suite]
        key = ec.generate_private_key(curve)
        return bytearray(key.private_numbers().private_value.to_bytes(size, "big")), key.public_key()
    key = ed25519.Ed25519PrivateKey.generate()
    return bytearray(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())), key.public_key()


def raw_public(public_key) -> bytes:
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def name_of(credential: mls.Credential) -> str:
    if credential.kind == "basic":
        return credential.identifier.decode()
    leaf = x509.load_der_x509_certificate(credential.chain[0])
    return leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value


@dataclass
class Gate:
    """A validator over both kinds of credential that notes who was asked about, and refuses the names it is told to."""

    refused: set[str] = field(default_factory=set)
    asked: list[tuple[str, bytes, int]] = field(default_factory=list)
    succeeded: list[tuple[str, str]] = field(default_factory=list)
    no_heirs: bool = False
    raised: list[BaseException] = field(default_factory=list)

    def validate(self, credential: mls.Credential, signature_key: bytes, now: int) -> mls.Approval:
        name = name_of(credential)
        self.asked.append((name, signature_key, now))
        if name in self.refused:
            self.raised.append(RefusalError(name))
            raise self.raised[-1]
        if credential.kind == "x509":
            return self.chain(credential, signature_key, now, name)
        return mls.Approval(name.encode(), NOW - 10 * DAY, NOW + 10 * DAY)

    def chain(self, credential: mls.Credential, signature_key: bytes, now: int, name: str) -> mls.Approval:
        leaf, issuer = (x509.load_der_x509_certificate(der) for der in credential.chain)
        if issuer != authority()[1] or raw_public(leaf.public_key()) != signature_key:
            raise RefusalError("chain")
        try:
            leaf.verify_directly_issued_by(issuer)
        except (InvalidSignature, ValueError) as error:
            raise RefusalError("signature") from error
        start, end = (int(at.timestamp()) for at in (leaf.not_valid_before_utc, leaf.not_valid_after_utc))
        if not start <= now <= end:
            raise RefusalError("expired")
        return mls.Approval(name.encode(), start, end)

    def succeed(self, old: mls.Credential, old_key: bytes, new: mls.Credential, new_key: bytes) -> None:
        self.succeeded.append((name_of(old), name_of(new)))
        if self.no_heirs:
            self.raised.append(RefusalError("heir"))
            raise self.raised[-1]

    def names(self) -> list[str]:
        return [name for name, _, _ in self.asked]


def identity(kind: str, suite: int, name: str) -> tuple[mls.Credential, bytearray]:
    if kind == "basic":
        return mls.Credential.basic(name.encode()), mls.generate_signature_key(suite)[0]
    secret, public = device_key(suite)
    key, root = authority()
    leaf = certify(name, public, key, "authority")
    return mls.Credential.x509([leaf.public_bytes(Encoding.DER), root.public_bytes(Encoding.DER)]), secret


class Person:
    """An engine, its gate, and what a careful client would have stored."""

    def __init__(self, name: str, kind: str = "basic", suite: int = 1, **options) -> None:
        self.kind, self.suite, self.name = kind, suite, name
        self.gate = Gate()
        credential, secret = identity(kind, suite, name)
        self.seed = bytes(secret)
        self.engine = mls.Engine(suite, credential, secret, self.gate.validate, self.gate.succeed, **options)
        self.group: mls.Group | None = None
        self.state = self.tree = b""
        self.epochs: dict[int, bytes] = {}
        self.used: list[bytes] = []
        self.package: mls.KeyPackage | None = None

    def offer(self, **options) -> bytes:
        self.package = self.engine.key_package(NOW, **{"lifetime": 5 * DAY} | options)
        return self.package.message

    def create(self, group_id: bytes = b"group", **options) -> mls.Group:
        self.group = self.engine.create(group_id, NOW, **options)
        return self.save()

    def join(self, pending: mls.Pending) -> mls.Group:
        self.group = self.engine.join(pending.welcomes[0], [self.package.secret], NOW)
        return self.save()

    def save(self) -> mls.Group:
        delta = self.group.delta()
        self.state = delta.state
        self.tree = delta.tree or self.tree
        self.epochs.update(dict(delta.epoch_inserts) | dict(delta.epoch_updates))
        self.used.extend(delta.used_key_packages)
        self.group.ack(delta.token)
        return self.group

    def reload(self, epochs: dict[int, bytes] | None = None) -> mls.Group:
        self.group = self.engine.load(self.state, self.tree, epochs=epochs or {})
        return self.group

    def rotated(self, name: str | None = None) -> mls.Engine:
        return self.engine.rotate(*identity(self.kind, self.suite, name or self.name))

    def commit(self, **options) -> mls.Pending:
        """Commits and applies."""
        pending = self.group.commit(NOW, **options)
        self.group.apply(pending.secrets)
        self.save()
        return pending

    def standing(self) -> tuple[int, bytes, bytes]:
        return self.group.epoch, self.group.tree_hash(), self.group.epoch_authenticator()


def gathered(*names: str, kind: str = "basic", suite: int = 1, **options) -> list[Person]:
    """A saved group of the named people, all in one epoch."""
    people = [Person(name, kind, suite, **options) for name in names]
    first, others = people[0], people[1:]
    first.create()
    if others:
        pending = first.commit(add=[person.offer() for person in others])
        for person in others:
            person.join(pending)
    return people
