"""What a proof says, read as leniently as can be: for showing it, never for believing it."""

import json
import re
from typing import TypeAlias

from identity.base64url import decode_base64url

Pairs: TypeAlias = list[tuple[str, object]]
_FINGERPRINT = re.compile(r"/certificates/([0-9a-f]{8})")


def describe_proof(proof: bytes, group_uri: str, now: int) -> str:
    """Name a token's kind, its certificate, its origin, whom it is for, and when it says it was signed."""
    header, claims = (_pairs(segment) for segment in proof.split(b".")[:2])
    kind = f"{_value(header, 'ppt')} {_value(header, 'alg')}"
    certificate = _FINGERPRINT.search(str(_value(header, "x5u")))
    origins = " and ".join(str(_value(_as_pairs(orig), "tn")) for name, orig in claims if name == "orig")
    uris = _value(_as_pairs(_value(claims, "dest")), "uri")
    audience = "this group" if uris == [group_uri] else "other group"
    parts = (
        kind,
        f"x5u {certificate[1] if certificate else '-'}",
        f"orig {origins}",
        f"dest {audience}",
        f"iat {_when(_value(claims, 'iat'), now)}",
    )
    return ", ".join(parts)


def _pairs(segment: bytes) -> Pairs:
    return _as_pairs(json.loads(decode_base64url(segment), object_pairs_hook=list))


def _as_pairs(value: object) -> Pairs:
    return value if isinstance(value, list) else []


def _value(pairs: Pairs, name: str) -> object:
    return next((value for key, value in pairs if key == name), None)


def _when(iat: object, now: int) -> str:
    if not isinstance(iat, int):
        return json.dumps(iat)
    seconds = iat - now
    return "now" if abs(seconds) <= 5 else f"{seconds:+,} s"
