"""PASSporT: sign, parse and verify `msg` tokens (RFC 8225, RFC 9475).

Nothing here decides whether a token is right for a message: `identity.binding` does, and numbers the checks.
"""

import hashlib
import re
from binascii import a2b_base64
from collections.abc import KeysView, Mapping, Sequence
from functools import lru_cache
from hmac import compare_digest
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from jwt.algorithms import AllowedECKeys, ECAlgorithm

from identity.base64url import base64, decode_base64url, encode_base64url
from identity.certificates import LATEST_TIME
from identity.errors import PassportError
from identity.number import TelephoneNumber
from identity.passport_claims import check_type_claims, read_dest, read_identity, read_x5c
from identity.passport_kinds import BASE_CLAIMS, DISPLAY_CLAIMS, IN_GROUPS, KINDS, MESSAGE, Kind, Profile, why_not

PASSPORT_SIZE_LIMIT = 8_192  # octets of token; the profile's own have about 600
HEADER_SIZE_LIMIT = 1_024  # octets of encoded header
SIGNATURE_SIZE = 64  # octets: r and s of P-256
X5U_SIZE_LIMIT = 512  # characters
HEADER_MEMO_LIMIT = 1_024  # decoded headers kept: a sender's header changes only with its certificate
CARRIED_CHAIN_LIMIT = 16_384  # octets by which header and token may be longer where the header may carry the chain

_HEADER_NAMES = frozenset({"alg", "ppt", "typ", "x5u"})
_BASE_HEADER_NAMES = frozenset({"alg", "typ"})
_DIGESTS = {"sha256": hashlib.sha256, "sha384": hashlib.sha384, "sha512": hashlib.sha512}  # RFC 9475 §3.2
_X5U = re.compile(r"https?://[0-9A-Za-z.:\[\]-]+(/[0-9A-Za-z._~-]+)+")
_CANONICAL = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder()


class DeterministicES256(ECAlgorithm):
    """PyJWT's ES256, but signing as RFC 6979 (RFC 8225 §4 recommends it), and with the hash prepared once.

    PyJWT 2.15 builds the hash for every call and converts integers through hexadecimal: 10 µs beside 46 of P-256.
    """

    _signing = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    _verifying = ec.ECDSA(hashes.SHA256())

    def sign(self, msg: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
        """Sign; 64 octets, r and s (RFC 7518 §3.4)."""
        r, s = decode_dss_signature(key.sign(msg, self._signing))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def verify(self, msg: bytes, key: AllowedECKeys, sig: bytes) -> bool:
        """Verify 64 octets, r and s."""
        if len(sig) != SIGNATURE_SIZE or not isinstance(key, ec.EllipticCurvePublicKey):
            return False
        r, s = int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:], "big")
        try:
            key.verify(encode_dss_signature(r, s), msg, self._verifying)
        except InvalidSignature:
            return False
        return True


ES256 = DeterministicES256(ECAlgorithm.SHA256, ec.SECP256R1)


class Token(NamedTuple):
    """A token whose form is right; its header and claims are anything that JSON can say."""

    unverified_header: Mapping[str, object]
    unverified_claims: Mapping[str, object]
    signing_input: bytes
    signature: bytes


class Header(NamedTuple):
    """A header that may be there: the type of the token, and where its certificates are."""

    kind: Kind
    x5u: str
    x5c: tuple[bytes, ...] = ()


class UnverifiedPassport(NamedTuple):
    """A PASSporT with the right form, header and claims, whose signature nobody has checked yet.

    `orig` is digits, or a URI where its reader admits those; `msgi` is empty in types that cover no content.
    """

    token: bytes
    signing_input: bytes
    signature: bytes
    x5u: str
    orig: str
    dest_numbers: tuple[str, ...]
    dest_uris: tuple[str, ...]
    iat: int
    msgi: str
    claims: Mapping[str, object]
    kind: Kind = MESSAGE
    x5c: tuple[bytes, ...] = ()


def sign_passport(
    key: ec.EllipticCurvePrivateKey,
    *,
    x5u: str,
    orig: TelephoneNumber | str,
    dest_uris: Sequence[str],
    dest_numbers: Sequence[TelephoneNumber],
    iat: int,
    msgi: str,
) -> str:
    """Make a `msg` PASSporT in full form; `orig` may be a URI. Raises PassportError if there is no destination."""
    dest: dict[str, list[str]] = {}
    if dest_numbers:
        dest["tn"] = sorted({number.digits for number in dest_numbers})
    if dest_uris:
        dest["uri"] = sorted(set(dest_uris))
    if not dest:
        raise PassportError("dest", "a PASSporT has at least one destination (RFC 8225 §5.2.1)", check=3)
    who = {"tn": orig.digits} if isinstance(orig, TelephoneNumber) else {"uri": orig}
    claims = {"dest": dest, "iat": iat, "msgi": msgi, "orig": who}
    return _signed(key, _encoded_header(x5u), claims)


def sign_token(key: ec.EllipticCurvePrivateKey, header: Mapping[str, object], claims: Mapping[str, object]) -> str:
    """Sign any header and claims in canonical form (RFC 8225 §9); the caller knows what they may say."""
    return _signed(key, encode_base64url(canonical_json(header)), claims)


def _signed(key: ec.EllipticCurvePrivateKey, header: bytes, claims: Mapping[str, object]) -> str:
    signing_input = header + b"." + encode_base64url(canonical_json(claims))
    return (signing_input + b"." + encode_base64url(ES256.sign(signing_input, key))).decode()


def parse_passport(token: str | bytes) -> UnverifiedPassport:
    """Check form, header and claims (checks 1 to 3) without verifying the signature. Raises PassportError."""
    octets = token.encode("utf-8", "replace") if isinstance(token, str) else token
    parts = split_token(octets)
    return read_claims(octets, parts, check_header(parts.unverified_header))


def split_token(token: bytes, profile: Profile = IN_GROUPS) -> Token:
    """Check 1: bounds, three parts of strict base64url, canonical JSON, no duplicate names. Raises PassportError."""
    carried = CARRIED_CHAIN_LIMIT if profile.x5c else 0
    if len(token) > PASSPORT_SIZE_LIMIT + carried:
        raise PassportError("too-large", f"a token has at most {PASSPORT_SIZE_LIMIT + carried} octets", check=1)
    segments = token.split(b".")
    if len(segments) != 3:
        raise PassportError("parts", f"a token has three parts, not {len(segments)}", check=1)
    header, claims, signature = segments
    if len(header) > HEADER_SIZE_LIMIT + carried:
        raise PassportError("too-large", f"a header has at most {HEADER_SIZE_LIMIT + carried} octets", check=1)
    try:
        raw_signature = decode_base64url(signature)
    except ValueError as error:
        raise PassportError("base64url", "the signature is not unpadded base64url", check=1) from error
    if len(raw_signature) != SIGNATURE_SIZE:
        raise PassportError("signature-length", f"a signature has {SIGNATURE_SIZE} octets (RFC 7518 §3.4)", check=1)
    signing_input = token[: len(header) + 1 + len(claims)]
    decoded = (_decoded_header if len(header) <= HEADER_SIZE_LIMIT else decoded_object)(header)
    return Token(decoded, decoded_object(claims), signing_input, raw_signature)


def check_header(header: Mapping[str, object], profile: Profile = IN_GROUPS) -> Header:
    """Check 2: `alg` ES256, `typ` passport, a `ppt` that is taken, an `x5u`, or `x5c` where that is taken.

    Nothing else may be there. Raises PassportError.
    """
    ppt = header.get("ppt", "")
    kind = KINDS.get(ppt) if isinstance(ppt, str) else None
    if kind is None or ppt not in profile.kinds or (ppt == "" and "ppt" in header):
        raise PassportError("ppt", why_not(ppt), check=2)
    plain = header.keys() == _HEADER_NAMES
    if not plain and not (profile.x5c and _is_base_header(header.keys(), kind)):
        wanted = "alg, ppt, typ, and x5u or x5c" if profile.x5c else "alg, ppt, typ, x5u"
        raise PassportError("header", f"the header has {_names(header)}, not {wanted}", check=2)
    if header["alg"] != "ES256" or header["typ"] != "passport":
        raise PassportError("header", "the header does not say ES256 and passport", check=2)
    x5u = header.get("x5u", "")
    if not isinstance(x5u, str) or ("x5u" in header and not _is_plain_url(x5u)):
        raise PassportError("x5u", "x5u is not a plain HTTP URL", check=2)
    return Header(kind, x5u, read_x5c(header["x5c"]) if not plain and "x5c" in header else ())


def read_claims(octets: bytes, token: Token, header: Header, profile: Profile = IN_GROUPS) -> UnverifiedPassport:
    """Check 3: exactly the claims of the type, strictly typed (RFC 8225 §5, RFC 9475 §3.2). Raises PassportError.

    URIs in `orig` are read where the profile takes them; whether a certificate holds them is for check 6.
    """
    claims, kind = token.unverified_claims, header.kind
    wanted = kind.claims or BASE_CLAIMS
    if claims.keys() != wanted and not (profile.display and wanted <= claims.keys() <= wanted | DISPLAY_CLAIMS):
        raise PassportError("claims", f"the claims are {_names(claims)}, not {', '.join(sorted(wanted))}", check=3)
    iat, msgi, dest = claims["iat"], claims.get("msgi", ""), claims["dest"]
    if type(iat) is not int or not 0 <= iat <= LATEST_TIME:  # bool is an int to isinstance
        raise PassportError("iat", "iat is not a whole number of seconds (RFC 8225 §5.1.1)", check=3)
    if not isinstance(msgi, str):
        raise PassportError("msgi", "msgi is not a string", check=3)
    numbers, uris = read_dest(dest)
    orig = read_identity(claims["orig"], "orig", uris=profile.uris)
    if kind is not MESSAGE:
        check_type_claims(claims, kind)
    return UnverifiedPassport(
        octets,
        token.signing_input,
        token.signature,
        header.x5u,
        orig,
        numbers,
        uris,
        iat,
        msgi,
        claims,
        kind,
        header.x5c,
    )


def verify_signature(passport: Token | UnverifiedPassport, public_key: ec.EllipticCurvePublicKey) -> None:
    """Check 8: ES256 over the received signing input. Raises PassportError."""
    if not ES256.verify(passport.signing_input, public_key, passport.signature):
        raise PassportError("signature", "the signature does not verify with the sender's key", check=8)


def message_digest(octets: bytes, algorithm: str = "sha256") -> str:
    """Make a `msgi` value: algorithm, hyphen, padded base64 (RFC 9475 §3.2)."""
    return f"{algorithm}-{base64(_DIGESTS[algorithm](octets).digest()).decode()}"


def check_digest(msgi: str, octets: bytes) -> None:
    """Check 9: `msgi` is the digest of these octets; padding may be left out. Raises PassportError."""
    algorithm = msgi.partition("-")[0]
    if algorithm not in _DIGESTS:
        raise PassportError("msgi-algorithm", "msgi does not start with sha256-, sha384- or sha512-", check=9)
    expected = message_digest(octets, algorithm)
    if not msgi.isascii() or not (compare_digest(msgi, expected) or compare_digest(msgi, expected.rstrip("="))):
        raise _digest_error(msgi.partition("-")[2], _DIGESTS[algorithm]().digest_size)


def canonical_json(value: object) -> bytes:
    """Serialise as RFC 8225 §9: no white space, member names in code point order, UTF-8 without needless escapes."""
    return _CANONICAL.encode(value)


@lru_cache(maxsize=256)
def _encoded_header(x5u: str) -> bytes:
    return encode_base64url(canonical_json({"alg": "ES256", "ppt": "msg", "typ": "passport", "x5u": x5u}))


@lru_cache(maxsize=HEADER_MEMO_LIMIT)
def _is_plain_url(text: str) -> bool:
    return len(text) <= X5U_SIZE_LIMIT and _X5U.fullmatch(text) is not None


def decoded_object(segment: bytes) -> Mapping[str, object]:
    """Decode a part of a token: base64url of a JSON object in canonical form (RFC 8225 §9). Raises PassportError."""
    try:
        octets = decode_base64url(segment)
    except ValueError as error:
        raise PassportError("base64url", "a part is not unpadded base64url (RFC 7515 §2)", check=1) from error
    try:
        value = _DECODER.decode(octets)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise PassportError("json", "a part is not JSON", check=1) from error
    # A duplicate name, a space, an escape or another order changes the octets: RFC 8225 §9 allows one form only.
    if not isinstance(value, dict) or _CANONICAL.encode(value) != octets:
        raise PassportError("canonical", "a part is not a JSON object in canonical form (RFC 8225 §9)", check=1)
    return value


_decoded_header = lru_cache(maxsize=HEADER_MEMO_LIMIT)(decoded_object)


def _is_base_header(names: KeysView[str], kind: Kind) -> bool:
    """Say whether these are `alg`, `typ`, `ppt` unless the token has no type, and one or both of `x5u` and `x5c`."""
    rest = names - _BASE_HEADER_NAMES - ({"ppt"} if kind.ppt else set())
    return names >= _BASE_HEADER_NAMES and bool(rest) and rest <= {"x5u", "x5c"}


def _names(names: Mapping[str, object]) -> str:
    shown = ", ".join(sorted(names))
    return ascii(shown if len(shown) <= 100 else shown[:100] + "...")


def _digest_error(unverified: str, size: int) -> PassportError:
    text = unverified.rstrip("=").encode()
    try:
        digest = a2b_base64(text + b"=" * (-len(text) % 4))
    except ValueError:
        digest = b""
    if base64(digest).rstrip(b"=") != text or unverified.encode() not in (text, base64(digest)):
        return PassportError("msgi-base64", "msgi does not hold base64 (RFC 4648 §4)", check=9)
    if len(digest) != size:
        return PassportError("msgi-length", f"the digest in msgi has {len(digest)} octets, not {size}", check=9)
    return PassportError("msgi", "msgi is the digest of other octets", check=9)
