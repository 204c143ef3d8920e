"""The values that claims and header of a PASSporT may have (RFC 8225 §5), read strictly: for checks 2 and 3."""

import re
from base64 import b64decode
from collections.abc import Mapping

from identity.certificates import CHAIN_LENGTH_LIMIT
from identity.errors import PassportError
from identity.passport_kinds import Kind
from identity.uri_identity import is_identity_uri

_DEST_TYPES = frozenset({"tn", "uri"})
_DIGITS = re.compile(r"[1-9][0-9]{0,14}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def read_dest(dest: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read `dest`: its canonical numbers and its URIs. Raises PassportError."""
    if not isinstance(dest, dict) or not dest or not _DEST_TYPES.issuperset(dest):
        raise PassportError("dest", "dest does not hold tn or uri", check=3)
    numbers, uris = _identities(dest, "tn"), _identities(dest, "uri")
    for number in numbers:
        if not _DIGITS.fullmatch(number):
            raise PassportError("dest", "a number in dest is not canonical (RFC 8224 §8.3)", check=3)
    return numbers, uris


def read_identity(value: object, claim: str, *, uris: bool) -> str:
    """Read an object with one identity: a canonical number, or a URI where those are taken. Raises PassportError."""
    if isinstance(value, dict) and len(value) == 1:
        digits = value.get("tn")
        if isinstance(digits, str) and _DIGITS.fullmatch(digits):
            return digits
        uri = value.get("uri") if uris else None
        if isinstance(uri, str) and is_identity_uri(uri):
            return uri
    what = "canonical telephone number or URI" if uris else "canonical telephone number"
    raise PassportError(claim, f"{claim} is not one {what} (RFC 8225 §5.2.1)", check=3)


def check_type_claims(claims: Mapping[str, object], kind: Kind) -> None:
    """Check what the type adds to the claims of every PASSporT. Raises PassportError."""
    if kind.ppt == "shaken":
        if claims["attest"] not in ("A", "B", "C"):
            raise PassportError("attest", "attest is not A, B or C (RFC 8588 §4)", check=3)
        if not isinstance(claims["origid"], str) or not _UUID.fullmatch(claims["origid"]):
            raise PassportError("origid", "origid is not a UUID (RFC 8588 §5)", check=3)
    elif kind.ppt == "div":
        diverted = claims["div"]
        if isinstance(diverted, dict):
            diverted = {name: value for name, value in diverted.items() if name != "hi" or not isinstance(value, str)}
        read_identity(diverted, "div", uris=True)
    elif kind.ppt == "rcd" and not claims.keys() & {"rcd", "crn"}:
        raise PassportError("claims", "an rcd PASSporT has rcd or crn (RFC 9795 §8)", check=3)


def read_x5c(x5c: object) -> tuple[bytes, ...]:
    """Decode `x5c` (RFC 7515 §4.1.6): base64 of DER, leaf first. Raises PassportError."""
    if not isinstance(x5c, list) or not 1 <= len(x5c) <= CHAIN_LENGTH_LIMIT + 1:
        raise PassportError("x5c", f"x5c is not a list of 1 to {CHAIN_LENGTH_LIMIT + 1} certificates", check=2)
    try:
        return tuple(b64decode(each, validate=True) for each in x5c)
    except (TypeError, ValueError) as error:
        raise PassportError("x5c", "x5c does not hold certificates in base64", check=2) from error


def _identities(dest: Mapping[str, object], kind: str) -> tuple[str, ...]:
    """Read an array of `dest`, if it is there: strings, at least one, sorted, no repetition."""
    if kind not in dest:
        return ()
    value = dest[kind]
    if not isinstance(value, list) or not value:
        raise PassportError("dest", "dest does not hold an array", check=3)
    for entry in value:
        if not isinstance(entry, str):
            raise PassportError("dest", "an array in dest does not hold strings", check=3)
    if len(value) > 1 and value != sorted(set(value)):
        raise PassportError("dest", "an array in dest is not sorted without repetition (RFC 8225 §5.2.1)", check=3)
    return tuple(value)
