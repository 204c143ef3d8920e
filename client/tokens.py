"""PASSporTs in a file: a token alone, or SIP Identity header fields with one each, verified with what is at hand."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from client.errors import ContentError
from identity.attestation import ClaimedDisplay, Expected, claimed_display, unverified_passport, verify
from identity.certificate_fields import load_certificate, load_pem
from identity.certificates import ChainVerifier
from identity.errors import FetchError, IdentityError
from identity.passport import UnverifiedPassport
from identity.sip import MESSAGE_LIMIT, identity_fields, parse_identity, verify_identity
from identity.status.revocation import lists_for
from identity.verdict import Verification

Fetch = Callable[[str], Awaitable[tuple[bytes, ...]]]


class TokenError(ContentError):
    """The file holds no token that could be looked for."""

    code = "no-token"
    hint = "Give an exported message or report, a PASSporT, or a SIP Identity header field."
    exit_code = 4


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token as it stands in a file: `field` is the whole header field, None where the token stands alone."""

    place: str
    text: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class JudgedToken:
    """The verdict on a token; `passport` is what it says, by itself; `fetch` why its certificates were not fetched."""

    place: str
    verification: Verification
    passport: UnverifiedPassport | None
    display: ClaimedDisplay | None
    fetch: str | None


def find_tokens(file: bytes) -> list[FoundToken]:
    """Find the tokens in a file. Raises TokenError."""
    try:
        text = file.decode("utf-8").strip()
        fields = identity_fields(text) if len(text) <= MESSAGE_LIMIT else ()
    except (UnicodeDecodeError, IdentityError) as error:
        raise TokenError(f"no token can be read here: {error}") from error
    if fields:
        return [_in_field(field, place, len(fields)) for place, field in enumerate(fields, 1)]
    if ";" in text and "\n" not in text:
        return [_in_field(text, 1, 1)]
    if not text or any(map(str.isspace, text)):
        raise TokenError("here is no exported message, no report, no PASSporT and no Identity header field")
    return [FoundToken("the token", text)]


def read_chain(file: bytes) -> tuple[bytes, ...]:
    """Read certificates, PEM in the order in which they are published, or one in DER. Raises TokenError."""
    try:
        if b"-----BEGIN" not in file:
            return (load_certificate(file).public_bytes(Encoding.DER),)
        return tuple(each.public_bytes(Encoding.DER) for each in load_pem(file))
    except IdentityError as error:
        raise TokenError(
            "the chain is no list of certificates", hint="Give PEM, the signer's certificate first."
        ) from error


def read_crl(file: bytes) -> bytes:
    """Read a list of revocations, PEM or DER; gives DER. Raises TokenError."""
    try:
        pem = b"-----BEGIN" in file
        crl = x509.load_pem_x509_crl(file) if pem else x509.load_der_x509_crl(file)
    except (ValueError, x509.InvalidVersion) as error:
        raise TokenError("that is no list of revocations", hint="Give a CRL in PEM or DER.") from error
    return crl.public_bytes(Encoding.DER)


async def judge_token(
    found: FoundToken,
    content: bytes | None,
    expected: Expected,
    chains: ChainVerifier,
    fetch: Fetch | None = None,
    crls: Sequence[bytes] = (),
) -> JudgedToken:
    """Verify one token; `fetch` gets its certificates from their address, and is asked only if none are at hand.

    `crls`: lists of revocations, DER; each counts for the certificates of its own issuer.
    """
    passport, why = _passport(found.text), None
    if fetch is not None and passport is not None and passport.x5u and not expected.chain and not passport.x5c:
        try:
            expected = replace(expected, chain=await fetch(passport.x5u))
        except FetchError as error:
            why = str(error)
    issuers = expected.chain[1:] or (passport.x5c[1:] if passport is not None else ())
    revocations = lists_for(crls, issuers, chains.anchors, expected.arrived)
    if found.field is None:
        verification = verify(found.text, content, expected, chains, None, revocations=revocations)
    else:
        verification = verify_identity(found.field, content, expected, chains, None, revocations=revocations)
    return JudgedToken(found.place, verification, passport, claimed_display(verification, chains), why)


def _in_field(field: str, place: int, of: int) -> FoundToken:
    where = "the header field" if of == 1 else f"header field {place} of {of}"
    try:
        return FoundToken(where, parse_identity(field).token.decode(), field)
    except IdentityError:
        return FoundToken(where, "", field)


def _passport(text: str) -> UnverifiedPassport | None:
    try:
        return unverified_passport(text.encode())
    except IdentityError:
        return None
