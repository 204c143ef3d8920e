"""The command `authority assert`: a carrier's word that somebody may have a certificate (RFC 9448 §5)."""

import re
import secrets
import sys
import time
from pathlib import Path

import click
import msgspec

from identity.authority.app import checked_base_url
from identity.authority.errors import CarrierError
from identity.authority.keys import read_key
from identity.authority.serving import explained
from identity.authority.tokens.carriers import Carrier, read_carrier
from identity.authority.tokens.wire import (
    ASSERTION_LIFETIME,
    AssertionClaims,
    CarrierRight,
    TokenRequest,
    sign_assertion,
)
from identity.enrolment.authority_token import (
    TN_AUTH_LIST,
    AuthorityTokenChallenge,
    account_fingerprint,
    identifier_value,
)
from identity.errors import TNAuthListError
from identity.prefixes import authority_list
from identity.tn_auth_list import ServiceProviderCode, TNAuthList, TNEntry

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FINGERPRINT = re.compile(r"(?:SHA256 )?((?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2})")


@click.command("assert")
@click.option("--key", type=_FILE, required=True, help="The carrier's P-256 key, PEM; private to its owner.")
@click.option("--certificate", type=_FILE, required=True, help="Its certificate, PEM, as the token authority has it.")
@click.option("--token-authority", "audience", metavar="URL", required=True, help="For whom the assertion is.")
@click.option(
    "--account",
    metavar="FINGERPRINT",
    required=True,
    help="Who may have the certificate: the SHA-256 thumbprint (RFC 7638) of an ACME account's key, in hexadecimal.",
)
@click.option(
    "--allow", "prefixes", metavar="PREFIX", multiple=True, help="A number, or how several start; repeatable."
)
@click.option("--code", "codes", metavar="CODE", multiple=True, help="A service provider code; may be repeated.")
@click.option("--issuer", is_flag=True, help="The certificate is an authority's, which certifies these numbers itself.")
def assert_right(
    key: Path,
    certificate: Path,
    audience: str,
    account: str,
    prefixes: tuple[str, ...],
    codes: tuple[str, ...],
    issuer: bool,
) -> None:
    """Assert, as the carrier of these numbers, that an ACME account may have a certificate for them.

    Prints the request that gets the account its authority token, for whoever has the account to send within ten
    minutes: POST it to URL/at/account/carrier/token.
    """
    with explained():
        audience, asked = checked_base_url(audience), tn_auth_list(prefixes, codes)
        if asked.number is None and not issuer:
            raise click.UsageError("a device is certified for one number; for more, an authority is: --issuer")
        carrier, signer, now = read_carrier(certificate), read_key(key), int(time.time())
        if signer.public_key() != carrier.key:
            raise CarrierError(f"{certificate} is not the certificate of {key}")
        _check(carrier, asked, now)
        atc = AuthorityTokenChallenge(TN_AUTH_LIST, identifier_value(asked), _fingerprint(account), issuer)
        claims = AssertionClaims(audience, atc, now, now + ASSERTION_LIFETIME, secrets.token_urlsafe(16))
        request = TokenRequest(atc, CarrierRight(sign_assertion(signer, claims)))
        sys.stdout.write(msgspec.json.encode(request).decode("ascii") + "\n")


def tn_auth_list(prefixes: tuple[str, ...], codes: tuple[str, ...]) -> TNAuthList:
    """What `--allow` and `--code` name. Raises NumberError, click.UsageError."""
    try:
        entries: list[TNEntry] = [ServiceProviderCode(code) for code in codes]
    except TNAuthListError as error:
        raise click.UsageError(str(error)) from error
    entries += authority_list(prefixes).entries if prefixes else ()
    if not entries:
        raise click.UsageError("say for which numbers: --allow PREFIX or --code CODE")
    return TNAuthList(tuple(entries))


def _check(carrier: Carrier, asked: TNAuthList, now: int) -> None:
    if not carrier.not_before <= now <= carrier.not_after:
        raise CarrierError("the carrier's certificate is not valid now: renew it first")
    if not carrier.speaks_for(asked):
        raise CarrierError("the carrier's certificate does not name all of these numbers and codes")


def _fingerprint(text: str) -> str:
    found = _FINGERPRINT.fullmatch(text.strip())
    if found is None:
        raise click.UsageError("--account is a SHA-256: 64 hexadecimal digits, with or without colons")
    return account_fingerprint(bytes.fromhex(found[1].replace(":", "")))
