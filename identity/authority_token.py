"""Authority tokens: a token authority's word that an ACME account may have a certificate of a TNAuthList (RFC 9448)."""

from typing import Annotated

import msgspec

from identity.base64url import decode_base64url, encode_base64url
from identity.errors import TNAuthListError
from identity.tn_auth_list import TNAuthList

TN_AUTH_LIST = "TNAuthList"  # identifier type and tktype (RFC 9448 §3, §5.4)
TOKEN_LIMIT = 100_000  # characters: a TNAuthList of 65,536 octets, encoded
FINGERPRINT_PREFIX = "SHA256 "

IdentifierValue = Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]+\Z", max_length=TOKEN_LIMIT)]
Fingerprint = Annotated[str, msgspec.Meta(pattern=r"\ASHA256 ([0-9A-F]{2}:){31}[0-9A-F]{2}\Z")]


class AuthorityTokenChallenge(msgspec.Struct, frozen=True, omit_defaults=False):
    """The claim `atc` (RFC 9448 §5.4): what may be certified, whether as a CA, and for which ACME account key."""

    tktype: str
    tkvalue: IdentifierValue
    fingerprint: Fingerprint
    ca: bool = False


def identifier_value(tn_auth_list: TNAuthList) -> str:
    """A TNAuthList as identifier and `tkvalue`: base64url of its DER (RFC 9448 §3)."""
    return encode_base64url(tn_auth_list.encode()).decode("ascii")


def read_identifier(value: str) -> TNAuthList:
    """The TNAuthList in an identifier or `tkvalue`. Raises TNAuthListError."""
    try:
        return TNAuthList.decode(decode_base64url(value.encode("ascii")))
    except ValueError as error:
        raise TNAuthListError("malformed", "the identifier is not base64url of a TNAuthList") from error


def account_fingerprint(thumbprint: bytes) -> str:
    """The thumbprint of an account's key as `atc` states it: "SHA256 56:3E:..." (RFC 9448 §5.4)."""
    return FINGERPRINT_PREFIX + thumbprint.hex(":").upper()
