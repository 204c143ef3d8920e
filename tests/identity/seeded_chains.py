"""Chains by a seed: valid ones of many shapes, and others broken in exactly one way, each with the answer it gets."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from identity.certificate_fields import CLAIM_CONSTRAINTS_OID, ENHANCED_CLAIM_CONSTRAINTS_OID
from identity.certificates import TrustAnchors
from identity.issuing import MESSAGING_ONLY
from identity.tn_auth_list import OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList, TNEntry
from tests.identity.conftest import NOW, Extension, any_certificate, der, key_usage, private_key, rsa_key, tn_extension

DAY = 86_400  # seconds
YEAR = 365 * DAY
ROOT_KEY, OTHER_ROOT_KEY = 2_001, 2_002
PERIODS = {"root": (NOW - YEAR, NOW + 9 * YEAR), "issuer": (NOW - 90 * DAY, NOW + 200 * DAY)}


@dataclass
class Link:
    """One certificate to be: everything that a fault can change."""

    name: str
    key: Any
    signer: Any
    issuer_name: str
    period: tuple[int, int]
    extensions: dict[str, Extension]

    def certificate(self) -> x509.Certificate:
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.issuer_name)])
        values = list(self.extensions.values())
        return any_certificate(self.signer, issuer, self.key.public_key(), values, name=self.name, period=self.period)


@dataclass
class Draft:
    """A chain to be, leaf first, and what happens to its octets afterwards."""

    links: list[Link]
    after: list[Callable[[list[bytes]], list[bytes]]] = field(default_factory=list)

    def chain(self) -> tuple[bytes, ...]:
        chain = [der(link.certificate()) for link in self.links]
        for change in self.after:
            chain = change(chain)
        return tuple(chain)

    @property
    def leaf(self) -> Link:
        return self.links[0]

    @property
    def issuer(self) -> Link:
        return self.links[1]


def anchors() -> TrustAnchors:
    """The root that every seeded chain is meant to lead to."""
    extensions = {**_ca(None), "usage": (key_usage(key_cert_sign=True, crl_sign=True), True)}
    key = private_key(ROOT_KEY)
    return TrustAnchors((Link("Seed root", key, key, "Seed root", PERIODS["root"], extensions).certificate(),))


def draft(seed: random.Random) -> Draft:
    """A valid chain: one to three issuers, each bounded by ranges, a code or nothing; a leaf with one number."""
    number = f"1202555{seed.randrange(10_000):04}"
    depth = seed.choice((1, 1, 2, 3))
    links, above, key = [], "Seed root", private_key(ROOT_KEY)
    for level in range(depth):
        own = private_key(3_000 + level)
        name = f"Seed issuer {level}"
        extensions = _ca(depth - level - 1) | _numbers(seed, number, level)
        links.append(Link(name, own, key, above, PERIODS["issuer"], extensions))
        above, key = name, own
    begins = NOW - seed.randrange(1, 3 * DAY)
    leaf = Link("Seed device", private_key(4_000), key, above, (begins, begins + 7 * DAY), _leaf(seed, number))
    return Draft([leaf, *reversed(links)])


def _ca(path_length: int | None) -> dict[str, Extension]:
    return {
        "basic": (x509.BasicConstraints(ca=True, path_length=path_length), True),
        "usage": (key_usage(key_cert_sign=True), True),
    }


def _numbers(seed: random.Random, number: str, level: int) -> dict[str, Extension]:
    """What an issuer speaks for: the shorter the prefix, the higher it stands, so each list lies in the one above."""
    digits = 4 + level
    block = TelephoneNumberRange(number[:digits] + "0" * (11 - digits), 10 ** (11 - digits))
    code = ServiceProviderCode("709J")
    # A code admits what is below it; once a list has no code, none below may have one.
    choices: list[tuple[TNEntry, ...]] = [(block,)] if level else [(block,), (code,), (code, block)]
    if seed.random() < 0.1 and level == 0:
        return {}
    return {"numbers": tn_extension(TNAuthList(seed.choice(choices)))}


def _leaf(seed: random.Random, number: str) -> dict[str, Extension]:
    extensions: dict[str, Extension] = {
        "basic": (x509.BasicConstraints(ca=False, path_length=None), True),
        "usage": (key_usage(digital_signature=True), True),
        "numbers": tn_extension(TNAuthList((OneNumber(number),)), critical=seed.random() < 0.2),
    }
    if seed.random() < 0.7:
        enhanced = x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, MESSAGING_ONLY.encode_9118())
        extensions["constraints"] = (enhanced, False)
    return extensions


Fault = Callable[[Draft, random.Random], None]


def _set(which: str, name: str, value: Extension | None) -> Fault:
    def apply(chain: Draft, _: random.Random) -> None:
        extensions = getattr(chain, which).extensions
        extensions.pop(name, None)
        if value is not None:
            extensions[name] = value

    return apply


def _period(which: str, first: int, last: int) -> Fault:
    return lambda chain, _: setattr(getattr(chain, which), "period", (NOW + first, NOW + last))


def _key(which: str, name: str, key: Callable[[], Any]) -> Fault:
    return lambda chain, _: setattr(getattr(chain, which), name, key())


def _octets(change: Callable[[list[bytes], random.Random], list[bytes]]) -> Fault:
    return lambda chain, seed: chain.after.append(lambda ders: change(ders, seed))


def _tampered(ders: list[bytes], seed: random.Random) -> list[bytes]:
    """Change one bit of the leaf's signature, which stands at the end."""
    leaf = bytearray(ders[0])
    leaf[-seed.randrange(1, 20)] ^= 1 << seed.randrange(8)
    return [bytes(leaf), *ders[1:]]


def _disordered(ders: list[bytes], _: random.Random) -> list[bytes]:
    """Exchange two issuers, or where there are not two, repeat the leaf."""
    return [ders[0], ders[2], ders[1], *ders[3:]] if len(ders) > 2 else [ders[0], *ders]


def _other_number(chain: Draft, _: random.Random) -> None:
    chain.links[-1].extensions["numbers"] = tn_extension(TNAuthList((TelephoneNumberRange("12030000000", 10**7),)))


def _raw_numbers(der_hex: str) -> Fault:
    return _set("leaf", "numbers", tn_extension(bytes.fromhex(der_hex)))


_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
_PLAIN = x509.UnrecognizedExtension(CLAIM_CONSTRAINTS_OID, bytes.fromhex("300aa0083006160461626364"))
_BY_REFERENCE = x509.AuthorityKeyIdentifier(b"x" * 20, None, None)

# Each fault with the code of the CertificateError that it must end in.
FAULTS: dict[str, tuple[Fault, str]] = {
    "leaf ended": (_period("leaf", -9 * DAY, -1), "expired"),
    "leaf not yet valid": (_period("leaf", 1, 7 * DAY), "not-yet-valid"),
    "issuer ended": (_period("issuer", -90 * DAY, -1), "expired"),
    "issuer not yet valid": (_period("issuer", 60, YEAR), "not-yet-valid"),
    "another root": (_key("issuer", "signer", lambda: private_key(OTHER_ROOT_KEY)), "untrusted"),
    "another issuer's signature": (_key("leaf", "signer", lambda: private_key(OTHER_ROOT_KEY)), "untrusted"),
    "signature changed": (_octets(_tampered), "untrusted"),
    "another name above": (_key("leaf", "issuer_name", lambda: "Somebody else"), "untrusted"),
    "leaf is a CA": (_set("leaf", "basic", (x509.BasicConstraints(ca=True, path_length=None), True)), "ca-leaf"),
    "issuer is no CA": (
        _set("issuer", "basic", (x509.BasicConstraints(ca=False, path_length=None), True)),
        "untrusted",
    ),
    "issuer may not sign": (_set("issuer", "usage", (key_usage(digital_signature=True), True)), "untrusted"),
    "leaf may not sign": (_set("leaf", "usage", (key_usage(key_agreement=True), True)), "key-usage"),
    "leaf without key usage": (_set("leaf", "usage", None), "key-usage"),
    "leaf's key is P-384": (_key("leaf", "key", lambda: _P384), "key-type"),
    "leaf's key is RSA": (_key("leaf", "key", rsa_key), "key-type"),
    "leaf names another key above": (_set("leaf", "aki", (_BY_REFERENCE, False)), "key-identifiers"),
    "no TNAuthList": (_set("leaf", "numbers", None), "tn-auth-list"),
    "TNAuthList empty": (_raw_numbers("3000"), "tn-auth-list"),
    "TNAuthList with implicit tags": (_raw_numbers("300d820b3132303235353530313432"), "tn-auth-list"),
    "TNAuthList with a trailing octet": (_raw_numbers("300fa20d160b313230323535353031343200"), "tn-auth-list"),
    "TNAuthList with a long length": (_raw_numbers("30810fa20d160b3132303235353530313432"), "tn-auth-list"),
    "TNAuthList with letters": (_raw_numbers("300fa20d160b3132303235353530313441"), "tn-auth-list"),
    "TNAuthList of one text": (_raw_numbers("160b3132303235353530313432"), "tn-auth-list"),
    "beyond the list above": (_other_number, "encompassing"),
    "constraints in an issuer": (_set("issuer", "constraints", (_PLAIN, False)), "claim-constraints"),
    "constraints malformed": (
        _set("leaf", "constraints", (x509.UnrecognizedExtension(CLAIM_CONSTRAINTS_OID, b"\x30\x01"), False)),
        "claim-constraints",
    ),
    "unknown critical extension in the leaf": (_set("leaf", "unknown", (_UNKNOWN, True)), "untrusted"),
    "unknown critical extension in an issuer": (_set("issuer", "unknown", (_UNKNOWN, True)), "untrusted"),
    "issuers missing": (_octets(lambda ders, _: ders[:1]), "untrusted"),
    "another order": (_octets(_disordered), "order"),
    "nothing": (_octets(lambda ders, _: []), "length"),
    "too many": (_octets(lambda ders, _: [*ders, *ders, *ders][:5]), "length"),
    "cut short": (_octets(lambda ders, seed: [ders[0][: seed.randrange(len(ders[0]))], *ders[1:]]), "malformed"),
    "octets after the end": (_octets(lambda ders, _: [ders[0] + b"\0", *ders[1:]]), "malformed"),
    "not a certificate": (_octets(lambda ders, seed: [seed.randbytes(400), *ders[1:]]), "malformed"),
    "far too large": (_octets(lambda ders, _: [ders[0] + bytes(70_000), *ders[1:]]), "too-large"),
}  # fmt: skip

_P384 = ec.derive_private_key(5_001, ec.SECP384R1())


@dataclass(frozen=True)
class Seeded:
    """A chain, the fault in it ("" for none) and the code of the refusal that it must get (None for none)."""

    chain: tuple[bytes, ...]
    fault: str
    expected: str | None


def seeded_chain(number: int) -> Seeded:
    """The chain with this number: the same in every run; one in three is valid."""
    seed = random.Random(number)
    chain = draft(seed)
    if number % 3 == 0:
        return Seeded(chain.chain(), "", None)
    fault = list(FAULTS)[(number - number // 3 - 1) % len(FAULTS)]
    apply, expected = FAULTS[fault]
    apply(chain, seed)
    return Seeded(chain.chain(), fault, expected)
