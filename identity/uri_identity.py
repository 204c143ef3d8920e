"""Participants without a number: the URIs that can name them, and which issuers may speak of those (RFC 9475 §4).

No RFC says who certifies URIs. The rule here: an issuer that speaks of numbers (one with a TNAuthList, anywhere above)
speaks of no URI, and an issuer of URIs is bound to hosts by its own certificate, as one of numbers is to numbers.
"""

import re
from collections.abc import Sequence

from cryptography import x509

from identity.certificate_fields import certificate_uris, known_extension
from identity.errors import CertificateError
from identity.tn_auth_list import TNAuthList

URI_LENGTH_LIMIT = 255  # characters of a URI that names a participant
URIS_LIMIT = 16  # URIs of one certificate

_HOST = r"[0-9a-z](?:[0-9a-z.-]*[0-9a-z])?"
_URI = re.compile(rf"(?!tel:)[a-z][a-z0-9+.-]*:(?://|[!-~]+@)(?P<host>{_HOST})(?::[0-9]{{1,5}})?(?:[/;?][!-~]*)?")


def is_identity_uri(text: str) -> bool:
    """Say whether the text can name a participant without a number: a URI in ASCII that has a host, lower-case, so far.

    A telephone number is an identity of type `tn` (RFC 8225 §5.2.1): as a `tel` URI it would be a second one.
    """
    return len(text) <= URI_LENGTH_LIMIT and _URI.fullmatch(text) is not None


def host_of(uri: str) -> str:
    """The host in an identity URI; empty if it is none."""
    match = _URI.fullmatch(uri)
    return "" if match is None else match["host"]


def check_uri_leaf(
    leaf: x509.Certificate, issuers: Sequence[x509.Certificate], lists: Sequence[TNAuthList]
) -> tuple[str, ...]:
    """Return the URIs that a leaf without TNAuthList speaks for. Raises CertificateError.

    1. no certificate above has a TNAuthList             3. some issuer above permits hosts (NameConstraints, dNSName)
    2. its alternative names are URIs with a host        4. each URI's host is within what every such issuer permits
    """
    if lists:
        raise CertificateError("tn-auth-list", "the leaf has no TNAuthList, and its issuers speak of numbers")
    uris = certificate_uris(leaf)
    if not 1 <= len(uris) <= URIS_LIMIT or not all(map(is_identity_uri, uris)):
        raise CertificateError("uri", f"the leaf has no TNAuthList, and no 1 to {URIS_LIMIT} URIs that name somebody")
    bounds = [hosts for hosts in map(_permitted_hosts, issuers) if hosts is not None]
    if not bounds:
        raise CertificateError(
            "uri-issuer", "no issuer of the leaf says for which hosts it speaks (RFC 5280 §4.2.1.10)"
        )
    for uri in uris:
        if not all(any(_within(host_of(uri), permitted) for permitted in hosts) for hosts in bounds):
            raise CertificateError("uri-issuer", f"an issuer of the leaf does not speak for the host of {uri!a}")
    return uris


def _permitted_hosts(issuer: x509.Certificate) -> list[str] | None:
    constraints = known_extension(issuer, x509.NameConstraints)
    permitted = constraints.permitted_subtrees if constraints is not None else None
    hosts = [each.value.lower() for each in permitted or () if isinstance(each, x509.DNSName)]
    return hosts or None


def _within(host: str, permitted: str) -> bool:
    return host == permitted or host.endswith("." + permitted)
