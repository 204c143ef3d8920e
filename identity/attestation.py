"""Two calls for any system: `attest` makes a proof that a number or URI said something, `verify` says what it shows.

Nothing here knows of MLS or SIP. The checks are those of `identity.sequence`, numbered alike wherever a token travels.
"""

from base64 import b64encode
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.certificate_fields import (
    certificate_attributes,
    certificate_constraints,
    certificate_tn_auth_list,
    certificate_uris,
    load_certificate,
    p256_key,
    validity,
)
from identity.certificates import LATEST_TIME, ChainVerifier, public_point
from identity.checks import Operands, check_attributes
from identity.errors import BindingError
from identity.number import TelephoneNumber
from identity.passport import (
    Header,
    UnverifiedPassport,
    check_header,
    message_digest,
    read_claims,
    sign_token,
    split_token,
)
from identity.passport_kinds import MESSAGE, READ, Kind, Profile
from identity.rich_call_data import RichCallData, is_bound, parse_rich_call_data
from identity.sequence import judge
from identity.status.revocation import NO_REVOCATIONS, Revocations
from identity.tn_auth_list import Coverage
from identity.verdict import RULES, Rule, Skipped, Verdict, Verification

Identity = TelephoneNumber | str  # a number, or the URI of a participant without one

_PRESENTED = frozenset({Verdict.VERIFIED, Verdict.DELAYED, Verdict.CARRIER})  # verdicts whose token may say a name
_WORDS = {  # of the four checks that compare with what a recipient knows: outside groups it knows something else
    0: Rule(
        "context", None, "It is not known enough to check this.", "arrived {}; sender {}; {} identities of one's own"
    ),
    4: Rule("signer", 438, "The certificate is not the one that it must be.", "certificate {}, {}"),
    10: Rule("audience", 438, "The proof is for somebody else.", "dest names {}; {} numbers and {} URIs listed"),
    12: Rule("replay", 438, "The proof was seen before, or names another sender.", "token {}: {}; {}"),
}
WORDS_OUTSIDE = tuple(_WORDS.get(number, rule) for number, rule in enumerate(RULES))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a verifier knows without the token, from its own signalling and clock.

    `arrived`: Unix time.  `orig`: who the signalling says is the sender; None if it says nothing, and then nothing but
    the certificate speaks for the token's `orig`.  `dest`: one's own numbers and URIs; empty leaves check 10 out. Both
    have to be said: who forgets them would take what is for somebody else, or by another than was shown.
    `chain`: the signer's certificates, DER, leaf first, without the root; empty takes those in the token's `x5c`.
    `kinds`: the types of token that are taken (`ppt`).  `sender_since`: the last second at which the sender was known
    not to be there yet.  `staple`: an OCSP response that came along.
    """

    arrived: int
    orig: Identity | None
    dest: Collection[Identity]
    chain: tuple[bytes, ...] = ()
    kinds: Collection[str] = ("msg",)
    sender_since: int | None = None
    staple: bytes | None = None


def attest(
    key: ec.EllipticCurvePrivateKey,
    chain: Sequence[bytes],
    *,
    orig: Identity,
    dest: Collection[Identity],
    content: bytes,
    now: int,
    x5u: str | None = None,
) -> str:
    """Make a token that says: the holder of `orig` said exactly this content, to these, at about this time.

    `chain`: the key's certificates, DER, leaf first, without the root; they travel in the token, or `x5u` is the URL
    where they are published. Raises BindingError, CertificateError or ClaimConstraintsError if the certificate does not
    allow the token (RFC 8224 §6.1).
    """
    claims = {"dest": _dest(dest), "iat": now, "msgi": message_digest(content), "orig": _claim(orig)}
    check_authority(key, chain, orig, claims)
    header: dict[str, object] = {"alg": "ES256", "ppt": "msg", "typ": "passport"}
    if x5u is None:
        return sign_token(key, header | {"x5c": [b64encode(der).decode() for der in chain]}, claims)
    return sign_token(key, header | {"x5u": x5u}, claims)


def verify(
    token: str | bytes,
    content: bytes | None,
    expected: Expected,
    chains: ChainVerifier,
    seen: Callable[[bytes], bool] | None,
    revocations: Revocations = NO_REVOCATIONS,
) -> Verification:
    """Check a token against what its recipient knows; the result is always a value, whatever the token holds.

     0 context      arrival known                        8 signature    ES256 over the octets received
     1 bounds       size, base64url, canonical JSON      9 content      msgi = digest of the octets received
     2 header       ES256, a type that is taken         10 audience     dest names one of `expected.dest`
     3 claims       those of the type; strict           11 time         iat, arrival, certificate; calls: 60 s
     4 signer       a chain is at hand                  12 replay       new; the signalling names the same sender
     5 chain        leaf to a trusted root, at iat      13 status       not withdrawn, or undecided
     6 number       the certificate holds orig          14 result       by 6, 11 and the undecided ones
     7 constraints  claims that leaf and holder allow

    `content` None leaves 9, and so the verdict, undecided. `seen` tells whether a token, by the SHA-256 of its signing
    input, was received before; None leaves that out of check 12. Nothing is fetched, and no clock is read.
    """
    octets = token.encode("utf-8", "replace") if isinstance(token, str) else token
    setting, profile = Outside(expected, seen), profile_of(expected, chains)
    return judge(octets, content, setting, chains, revocations, profile=profile, rules=WORDS_OUTSIDE)


def profile_of(expected: Expected, chains: ChainVerifier) -> Profile:
    """Which tokens count outside groups: the expected types, and URIs where the policy of the anchors takes them."""
    return Profile(frozenset(expected.kinds), x5c=True, display=True, uris=chains.anchors.policy.uri_identities)


@dataclass(frozen=True, slots=True)
class Outside:
    """What somebody expects as a Setting of the checks."""

    expected: Expected
    seen: Callable[[bytes], bool] | None

    @property
    def sender_chain(self) -> tuple[bytes, ...]:
        return self.expected.chain

    @property
    def arrived(self) -> int:
        return self.expected.arrived

    @property
    def sender_since(self) -> int | None:
        return self.expected.sender_since

    @property
    def staple(self) -> bytes | None:
        return self.expected.staple

    def check_context(self) -> Operands:
        expected = self.expected
        if not 0 <= expected.arrived <= LATEST_TIME:
            raise BindingError("arrived", "the time of arrival is not known", check=0)
        return expected.arrived, "not signalled" if expected.orig is None else _text(expected.orig), len(expected.dest)

    def check_signer(self, header: Header, chains: ChainVerifier) -> tuple[tuple[bytes, ...], Operands]:
        given, carried = self.expected.chain, header.x5c
        if given and carried and given[0] != carried[0]:
            raise BindingError("signer", "x5c is another certificate than the one at hand", check=4)
        chain = _without_root(given or carried, chains)
        if not chain:
            raise BindingError("no-chain", f"no certificate is at hand, only its address {header.x5u!a}", check=4)
        source = "as at hand" if given else "from x5c in the token"
        return chain, (sha256(chain[0]).hexdigest(), f"{source}; x5u {header.x5u!a}" if header.x5u else source)

    def check_audience(self, passport: UnverifiedPassport) -> Operands:
        if not self.expected.dest:
            return Skipped(("it is not known who the recipient is",))
        own = {_text(each) for each in self.expected.dest}
        named = sorted(own.intersection(passport.dest_numbers) | own.intersection(passport.dest_uris))
        if not named:
            listed = [*passport.dest_numbers, *passport.dest_uris]
            raise BindingError("dest", f"dest names {listed!a:.400}, not {sorted(own)!a:.200}", check=10)
        return ", ".join(named), len(passport.dest_numbers), len(passport.dest_uris)

    def check_replay(self, passport: UnverifiedPassport) -> tuple[bytes, Operands]:
        orig, replay_key = self.expected.orig, sha256(passport.signing_input).digest()
        if orig is not None and _text(orig) != passport.orig:
            raise BindingError("sender", f"orig {passport.orig!a} is not {_text(orig)!a}, as signalled", check=12)
        if self.seen is not None and self.seen(replay_key):
            raise BindingError("seen", "the same token was received before", check=12)
        if orig is None and self.seen is None:
            return replay_key, Skipped(("neither a memory of tokens nor a signalled sender is at hand",))
        new = "no memory of tokens is at hand" if self.seen is None else "new here"
        return replay_key, (
            replay_key.hex(),
            new,
            "no sender was signalled" if orig is None else "the sender signalled",
        )


@dataclass(frozen=True, slots=True)
class ClaimedDisplay:
    """How the signer asks to be presented, and whose word that is. It is not an identity, and nobody has verified it.

    `issuer` is the name of the certificate's issuer. `bound`: whether its certificate allows this presentation and no
    other (RFC 9795 §6.2, §6.3), so that the issuer vouches for it; else it is the signer's own word.
    """

    data: RichCallData
    issuer: str
    bound: bool


def claimed_display(verification: Verification, chains: ChainVerifier) -> ClaimedDisplay | None:
    """Read the presentation that a verified token asks for; None if there is none, or the token was not verified."""
    evidence = verification.evidence
    if evidence is None or verification.verdict not in _PRESENTED:
        return None
    passport = unverified_passport(evidence.passport)
    data = parse_rich_call_data(passport.claims)
    if data is None:
        return None
    chain = chains.verify(evidence.chain, passport.iat)
    permitted = {name for name, _ in chain.constraints.permitted_values} if chain.constraints else set()
    return ClaimedDisplay(data, chain.issuer, is_bound(passport.claims, permitted))


def unverified_passport(token: bytes) -> UnverifiedPassport:
    """Read a token of any type that can be read (checks 1 to 3), verified by nobody. Raises PassportError."""
    profile = Profile(READ, x5c=True, display=True, uris=True)
    parts = split_token(token, profile)
    return read_claims(token, parts, check_header(parts.unverified_header, profile), profile)


def check_authority(
    key: ec.EllipticCurvePrivateKey,
    chain: Sequence[bytes],
    orig: Identity,
    claims: dict[str, object],
    kind: Kind = MESSAGE,
) -> None:
    """Raise unless the key is the leaf's, and the leaf holds `orig`, is valid at `iat` and allows the token."""
    leaf = load_certificate(chain[0])
    if public_point(p256_key(leaf)) != public_point(key.public_key()):
        raise BindingError("key", "the certificate is for another key", check=4)
    not_before, not_after = validity(leaf)
    if not not_before <= int(str(claims["iat"])) <= not_after:
        raise BindingError("validity", f"the certificate is valid from {not_before} to {not_after}", check=5)
    if not _holds(leaf, orig):
        raise BindingError("coverage", f"the certificate does not speak for {_text(orig)!a}", check=6)
    constraints, conflicting = certificate_constraints(leaf)
    if conflicting:
        raise BindingError("constraints", "the certificate has both forms of constraints (RFC 9118 §3)", check=7)
    if constraints is not None:
        constraints.check(claims)
    declared = certificate_attributes(leaf)
    if declared is not None and isinstance(orig, TelephoneNumber):
        check_attributes(kind, orig, certificate_tn_auth_list(leaf), declared)


def _holds(leaf: x509.Certificate, orig: Identity) -> bool:
    if isinstance(orig, str):
        return orig in certificate_uris(leaf)
    numbers = certificate_tn_auth_list(leaf)
    return numbers is not None and numbers.covers(orig) is not Coverage.NO


def _without_root(listed: tuple[bytes, ...], chains: ChainVerifier) -> tuple[bytes, ...]:
    """Leave out a root at the end of a list (RFC 9060 §5 has it there): one trusts one's own copy of it."""
    roots = {root.public_bytes(Encoding.DER) for root in chains.anchors.roots} if len(listed) > 1 else set()
    return listed[:-1] if listed[-1:] and listed[-1] in roots else listed


def _dest(dest: Collection[Identity]) -> dict[str, list[str]]:
    numbers = sorted({each.digits for each in dest if isinstance(each, TelephoneNumber)})
    uris = sorted({each for each in dest if isinstance(each, str)})
    if not numbers and not uris:
        raise BindingError("dest", "a token has at least one destination (RFC 8225 §5.2.1)", check=3)
    return {kind: values for kind, values in (("tn", numbers), ("uri", uris)) if values}


def _claim(identity: Identity) -> dict[str, str]:
    return {"uri": identity} if isinstance(identity, str) else {"tn": identity.digits}


def _text(identity: Identity) -> str:
    return identity if isinstance(identity, str) else identity.digits
