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
# Behind "//" the host comes first (RFC 3986 §3.2), and no "@" may make it a name; else one "@" stands before it.
_URI = re.compile(
    rf"(?!tel:)[a-z][a-z0-9+.-]*:(?:(?P<slashes>//)|(?!//)[!-?A-~]+@)(?P<host>{_HOST})(?::[0-9]{{1,5}})?"
    r"(?:(?(slashes)[/?]|[/;?])[!-~]*)?"
)


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
    2. its alternative names are URIs with a host        4. each URI's host is within what every such issuer permits,
                                                            and within nothing that an issuer excludes
    """
    if lists:
        raise CertificateError("tn-auth-list", "the leaf has no TNAuthList, and its issuers speak of numbers")
    uris = certificate_uris(leaf)
    if not 1 <= len(uris) <= URIS_LIMIT or not all(map(is_identity_uri, uris)):
        raise CertificateError("uri", f"the leaf has no TNAuthList, and no 1 to {URIS_LIMIT} URIs that name somebody")
    constrained = [_constrained_hosts(issuer) for issuer in issuers]
    bounds = [permitted for permitted, _ in constrained if permitted]
    if not bounds:
        raise CertificateError(
            "uri-issuer", "no issuer of the leaf says for which hosts it speaks (RFC 5280 §4.2.1.10)"
        )
    for uri in uris:
        host = host_of(uri)
        permitted = all(any(_within(host, each) for each in hosts) for hosts in bounds)
        if not permitted or any(_taken_out(host, each) for _, excluded in constrained for each in excluded):
            raise CertificateError("uri-issuer", f"an issuer of the leaf does not speak for the host of {uri!a}")
    return uris


def _constrained_hosts(issuer: x509.Certificate) -> tuple[list[str], list[str]]:
    """The DNS names that an issuer permits, and those that it excludes."""
    constraints = known_extension(issuer, x509.NameConstraints)
    if constraints is None:
        return [], []
    return _hosts(constraints.permitted_subtrees), _hosts(constraints.excluded_subtrees)


def _hosts(names: Sequence[x509.GeneralName] | None) -> list[str]:
    return [each.value.lower() for each in names or () if isinstance(each, x509.DNSName)]


def _within(host: str, subtree: str) -> bool:
    return host == subtree or host.endswith("." + subtree)


def _taken_out(host: str, subtree: str) -> bool:
    """As `_within`, for what is excluded: there the empty name holds every host (RFC 5280 §4.2.1.10)."""
    return not subtree or _within(host, subtree.removeprefix("."))
