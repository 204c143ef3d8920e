"""Rich call data (RFC 9795): how a caller asks to be presented. It is somebody's word, and never an identity."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from identity.errors import PassportError
from identity.passport import canonical_json, check_digest
from identity.passport_kinds import DISPLAY_CLAIMS

NAME_LENGTH_LIMIT = 255  # characters of `nam` and `crn`
URL_LENGTH_LIMIT = 2_048  # characters of `icn` and `jcl`; a picture inside a data URI makes the token too large anyway
CARD_PROPERTIES_LIMIT = 64  # properties of a jCard
POINTERS_LIMIT = 64  # digests in `rcdi`

_NUMBER = re.compile(r"[0-9#*]{1,15}")  # RFC 8224 §8.3
_URL = re.compile(rf"https://[!-~]{{1,{URL_LENGTH_LIMIT - 8}}}")
_DATA_URL = re.compile(r"data:[!-~]+")
_POINTER = re.compile(r"(/([^~/]|~[01])*)+")  # RFC 6901 §3, of an element

Json = object


@dataclass(frozen=True, slots=True)
class RichCallData:
    """What `rcd` and `crn` say: a name; perhaps a number, a picture, a card (names and values) or its URL, a reason."""

    name: str
    number: str | None = None
    icon: str | None = None
    card: tuple[tuple[str, str], ...] = ()
    card_url: str | None = None
    reason: str | None = None


def check_display(claims: Mapping[str, object]) -> None:
    """Check what a token says of presentation, and its digests of what it holds itself. Raises PassportError."""
    if claims.keys() & DISPLAY_CLAIMS:
        parse_rich_call_data(claims)
        check_integrity(claims, {})


def parse_rich_call_data(claims: Mapping[str, object]) -> RichCallData | None:
    """Read `rcd` and `crn` strictly (RFC 9795 §5, §7); None if there is neither. Raises PassportError."""
    reason = claims.get("crn")
    if "crn" in claims and not _is_text(reason):
        raise _error("crn is not a short text")
    rcd = claims.get("rcd")
    if "rcd" not in claims:
        if "rcdi" in claims:
            raise _error("rcdi stands without rcd (RFC 9795 §6)")
        return None if reason is None else RichCallData("", reason=str(reason))
    if not isinstance(rcd, dict) or not _is_text(rcd.get("nam")):
        raise _error("rcd is not an object with a short nam (RFC 9795 §5.1.1)")
    if "jcd" in rcd and "jcl" in rcd:
        raise _error("rcd has both jcd and jcl (RFC 9795 §5.1.4)")
    return RichCallData(
        rcd["nam"],
        _matched(rcd, "apn", _NUMBER),
        _matched(rcd, "icn", _URL, _DATA_URL),
        _card(rcd["jcd"]) if "jcd" in rcd else (),
        _matched(rcd, "jcl", _URL),
        None if reason is None else str(reason),
    )


def check_integrity(claims: Mapping[str, object], resources: Mapping[str, bytes]) -> tuple[str, ...]:
    """Check each digest of `rcdi` whose content is at hand; returns the pointers to what is not. Raises PassportError.

    `resources`: what somebody has fetched, by URL. Nothing is fetched here: what nobody looked at counts as unverified
    content, and does not count against the token (RFC 9795 §8.2).
    """
    if "rcdi" not in claims:
        return ()
    rcd, digests = claims.get("rcd"), claims["rcdi"]
    if not isinstance(digests, dict) or not 1 <= len(digests) <= POINTERS_LIMIT:
        raise _error("rcdi is not an object with digests (RFC 9795 §6)")
    unseen = []
    for pointer, digest in digests.items():
        if not _POINTER.fullmatch(pointer) or not isinstance(digest, str):
            raise _error("rcdi holds something else than a pointer and its digest (RFC 9795 §6)")
        octets = _covered(rcd, pointer, resources)
        if octets is None:
            unseen.append(pointer)
            continue
        try:
            check_digest(digest, octets)
        except PassportError as error:
            raise _error(f"the digest of {pointer!a} in rcdi does not hold: {error}") from error
    return tuple(unseen)


def is_bound(claims: Mapping[str, object], permitted: Collection[str]) -> bool:
    """Say whether all that is to be shown has a value that the certificate permits, or a digest among such values.

    `permitted`: the claims whose values the certificate permits one by one; check 7 has held the token to them. A
    digest of what stands at a URL says nothing of the URL, and binds nothing until somebody has fetched it.
    """
    rcd, digests = claims.get("rcd"), claims.get("rcdi")
    if isinstance(rcd, dict) and "rcd" not in permitted:
        held = set(digests) if isinstance(digests, dict) and "rcdi" in permitted else set()
        held -= {*check_integrity(claims, {})}
        if not all(f"/{name.replace('~', '~0').replace('/', '~1')}" in held for name in rcd):
            return False
    return "crn" not in claims or "crn" in permitted


def _covered(rcd: Json, pointer: str, resources: Mapping[str, bytes]) -> bytes | None:
    """The octets that the digest at a pointer covers (RFC 9795 §6.1); None if they are at a URL and not at hand."""
    value, path, holder = rcd, pointer.split("/")[1:], ""
    for position, step in enumerate(path):
        value, holder = _element(value, step), _holder(value, step)
        if position == 0 and step == "jcl" and len(path) > 1:
            card = resources.get(str(value))
            if card is None:
                return None
            value = _decoded(card)
    if isinstance(value, str) and holder and _URL.fullmatch(value):
        body = resources.get(value)
        # Of a jCard, the digest is over its canonical form, not over the white space in the body (§6.1.4).
        return canonical_json(_decoded(body)) if body is not None and holder == "jcl" else body
    return canonical_json(value)


def _element(value: Json, step: str) -> Json:
    name = step.replace("~1", "/").replace("~0", "~")
    if isinstance(value, dict) and name in value:
        found: Json = value[name]
        return found
    if isinstance(value, list) and step.isascii() and step.isdigit() and len(step) < 6 and int(step) < len(value):
        return value[int(step)]
    raise _error("a pointer in rcdi names nothing in rcd")


def _holder(value: Json, step: str) -> str:
    """What makes a string in this place the address of something: the name of the key, or a jCard's type `uri`."""
    if isinstance(value, dict):
        return step if step in ("icn", "jcl") else ""
    return "uri" if isinstance(value, list) and step == "3" and len(value) > 3 and value[2] == "uri" else ""


def _decoded(octets: bytes) -> Json:
    try:
        return msgspec.json.decode(octets)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise _error("the card that jcl names is not JSON") from error


def _card(card: Json) -> tuple[tuple[str, str], ...]:
    """Read the properties of a jCard (RFC 7095 §3.2): name, parameters, type, values."""
    if not isinstance(card, list) or len(card) != 2 or card[0] != "vcard" or not isinstance(card[1], list):
        raise _error("jcd is not a jCard (RFC 7095)")
    properties = card[1]
    if len(properties) > CARD_PROPERTIES_LIMIT or not all(map(_is_property, properties)):
        raise _error("jcd holds something else than a jCard's properties (RFC 7095 §3.3)")
    return tuple((each[0], each[3]) for each in properties if isinstance(each[3], str))


def _is_property(value: Json) -> bool:
    return (
        isinstance(value, list)
        and len(value) >= 4
        and isinstance(value[0], str)
        and isinstance(value[1], dict)
        and isinstance(value[2], str)
    )


def _matched(rcd: Mapping[str, object], key: str, *patterns: re.Pattern[str]) -> str | None:
    value = rcd.get(key)
    if key not in rcd:
        return None
    if not isinstance(value, str) or not any(pattern.fullmatch(value) for pattern in patterns):
        raise _error(f"{key} in rcd is not what it must be (RFC 9795 §5.1)")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= NAME_LENGTH_LIMIT


def _error(message: str) -> PassportError:
    return PassportError("rcd", message, check=3)
