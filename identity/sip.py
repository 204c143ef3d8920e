"""SIP Identity header fields (RFC 8224 §4): reading them strictly, writing them, and verifying the tokens in them.

Identity: TOKEN;info=<https://ca.example/chain.pem>;alg=ES256;ppt=shaken
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from identity.attestation import WORDS_OUTSIDE, Expected, Outside, profile_of
from identity.certificates import ChainVerifier
from identity.checks import Operands
from identity.errors import PassportError
from identity.passport import CARRIED_CHAIN_LIMIT, PASSPORT_SIZE_LIMIT, Header
from identity.sequence import judge, refuse
from identity.status.revocation import NO_REVOCATIONS, Revocations
from identity.verdict import Verification

FIELD_LIMIT = PASSPORT_SIZE_LIMIT + CARRIED_CHAIN_LIMIT + 4_096  # characters of one header field
FIELDS_LIMIT = 16  # Identity header fields in one message
MESSAGE_LIMIT = FIELDS_LIMIT * FIELD_LIMIT  # characters of a message's head

# RFC 3261 §25.1 (token, quoted-string, LWS), RFC 8224 §4 and RFC 3986. One space stands for folded white space here.
_TOKEN = r"[0-9A-Za-z.!%*_+`'~-]+"  # noqa: S105 - the grammar's word
_NAME = re.compile(r"(?:identity|y) ?: ?", re.IGNORECASE)
_VALUE = re.compile(r"(?P<token>[0-9A-Za-z._=-]+) ?; ?info ?= ?<(?P<info>[a-z][a-z0-9+.-]*:[!#-;=?-~]+)>(?P<rest>.*)")
_PARAMETER = re.compile(rf' ?; ?(?P<name>{_TOKEN})(?: ?= ?(?:(?P<value>{_TOKEN})|"(?P<quoted>[ !#-\[\]-~]*)"))?')
_FOLD = re.compile(r"\r?\n[ \t]+")
_SPACES = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class IdentityHeader:
    """One Identity header field: the token, where its certificates are said to be, and its parameters, as written."""

    token: bytes
    info: str
    parameters: Mapping[str, str]


def identity_fields(text: str) -> tuple[str, ...]:
    """Find the Identity header fields in the head of a SIP message, or in lines of them; other fields are left out.

    Long and compact name, folded lines (RFC 3261 §7.3.1). Raises PassportError on more than the limits.
    """
    if len(text) > MESSAGE_LIMIT:
        raise _error(f"header fields have at most {MESSAGE_LIMIT} characters together")
    head = re.split(r"\r?\n\r?\n", text.lstrip("\r\n"), maxsplit=1)[0]
    lines = [_SPACES.sub(" ", line).strip() for line in _FOLD.sub(" ", head).splitlines()]
    found = tuple(line for line in lines if _NAME.match(line))
    if len(found) > FIELDS_LIMIT:
        raise _error(f"a message has at most {FIELDS_LIMIT} Identity header fields")
    return found


def parse_identity(field: str) -> IdentityHeader:
    """Read one Identity header field, with its name or without. Raises PassportError."""
    if len(field) > FIELD_LIMIT:
        raise _error(f"an Identity header field has at most {FIELD_LIMIT} characters")
    value = _NAME.sub("", _SPACES.sub(" ", field).strip(), count=1)
    match = _VALUE.fullmatch(value)
    if match is None:
        raise _error("an Identity header field is a token and ;info=<URI> (RFC 8224 §4)")
    parameters: dict[str, str] = {}
    rest, position = match["rest"].rstrip(), 0
    while position < len(rest):
        parameter = _PARAMETER.match(rest, position)
        name = "" if parameter is None else parameter["name"].lower()
        if parameter is None or name in parameters or name == "info":
            raise _error("the parameters of the Identity header field are not well formed (RFC 3261 §25.1)")
        parameters[name] = parameter["value"] or parameter["quoted"] or ""
        position = parameter.end()
    return IdentityHeader(match["token"].encode(), match["info"], parameters)


def format_identity(token: str, info: str, ppt: str) -> str:
    """Write the value of an Identity header field for a token whose certificates are at `info`."""
    return f"{token};info=<{info}>;alg=ES256;ppt={ppt}"


def verify_identity(
    field: str,
    content: bytes | None,
    expected: Expected,
    chains: ChainVerifier,
    seen: Callable[[bytes], bool] | None,
    revocations: Revocations = NO_REVOCATIONS,
) -> Verification:
    """Verify the token of one Identity header field, as `attestation.verify` does; always a value.

    A field that is not well formed fails check 1. In check 4 its `info`, `alg` and `ppt` must say what the token says.
    """
    try:
        header = parse_identity(field)
    except PassportError as error:
        return refuse(error, Outside(expected, seen), chains, rules=WORDS_OUTSIDE)
    setting = _Signalled(expected, seen, header)
    profile = profile_of(expected, chains)
    return judge(header.token, content, setting, chains, revocations, profile=profile, rules=WORDS_OUTSIDE)


@dataclass(frozen=True, slots=True)
class _Signalled(Outside):
    """What a SIP entity expects, with the header field that the token came in."""

    field: IdentityHeader

    def check_signer(self, header: Header, chains: ChainVerifier) -> tuple[tuple[bytes, ...], Operands]:
        if header.x5u and header.x5u != self.field.info:
            raise PassportError("info", f"info {self.field.info!a} is not the token's x5u {header.x5u!a}", check=4)
        for name, value in (("alg", "ES256"), ("ppt", header.kind.ppt)):
            said = self.field.parameters.get(name, value)
            if said != value:
                raise PassportError("parameter", f"the header field says {name} {said!a}, the token {value!a}", check=4)
        return Outside.check_signer(self, header, chains)


def _error(message: str) -> PassportError:
    return PassportError("identity-header", message, check=1)
