"""What a trust policy asks of a path beyond RFC 5280: pins, certificate policies, codes in leaves, and encompassing."""

from collections.abc import Sequence
from itertools import pairwise

from cryptography import x509

from identity.certificate_fields import known_extension
from identity.errors import CertificateError, TNAuthListError
from identity.tn_auth_list import ServiceProviderCode, TNAuthList, check_encompassing
from identity.trust import CodeParents, TrustPolicy, key_hash

# Arcs of certificate policies for telephone numbers: the STI-GA's (ATIS-1000080) and that of the French MAN.
KNOWN_POLICY_ARCS = ("2.16.840.1.114569.1.1.", "1.2.250.1.695.1.1.")
ANY_POLICY = "2.5.29.32.0"  # RFC 5280 §4.2.1.4


def check_pins(path: Sequence[x509.Certificate], policy: TrustPolicy) -> None:
    """Raise CertificateError unless a path (leaf to root) passes a key pinned below its root, if there are pins."""
    if not policy.pins:
        return
    root = key_hash(path[-1])
    pinned = {pin.issuer for pin in policy.pins if pin.root == root}
    if pinned and pinned.isdisjoint(map(key_hash, path[1:-1])):
        raise CertificateError("not-pinned", "the issuer is none of those that are pinned below this root")


def check_certificate_policies(certificates: Sequence[x509.Certificate], policy: TrustPolicy, *, leaf: bool) -> None:
    """Raise CertificateError if a certificate states policies and none of them is known, where that is asked for.

    One that states none is under no policy, known or unknown. anyPolicy is an issuer's: a leaf has to name its own.
    """
    if policy.unknown_policies:
        return
    for certificate in certificates:
        stated = known_extension(certificate, x509.CertificatePolicies)
        if stated is not None and not any(_is_known(each, leaf) for each in stated):
            raise CertificateError("unknown-policy", "a certificate stands under policies that are not known here")


def check_code_leaf(entries: TNAuthList, policy: TrustPolicy) -> None:
    """Raise CertificateError if a leaf holds a service provider code and the policy does not want that."""
    if entries.codes and not policy.code_leaves:
        raise CertificateError("code-leaf", "the leaf speaks for a carrier's code, not for numbers alone")


def bounds_of(lists: Sequence[TNAuthList | None], policy: TrustPolicy) -> tuple[TNAuthList, ...]:
    """The lists of a path's issuers, lowest first, each within the one above (RFC 9060 §4). Raises CertificateError.

    `lists`: one for each issuer, lowest first. Below a certificate with a list each has its own.
    """
    bounds = [entries for entries in lists if entries is not None]
    if any(entries is None for entries in lists[: len(bounds)]):
        raise CertificateError("tn-auth-list", "an issuer below one with a TNAuthList has none (RFC 9060 §4)")
    for child, parent in pairwise(bounds):
        check_within(scope_of(parent, policy), child, policy)
    return tuple(bounds)


def scope_of(parent: TNAuthList, policy: TrustPolicy) -> TNAuthList:
    """What a list may delegate: its own entries, and with a directory the numbers of its codes."""
    if policy.code_parents is not CodeParents.DIRECTORY or not parent.codes:
        return parent
    listed = [entry for numbers in numbers_of_codes(parent, policy) for entry in numbers.entries]
    numbers = [entry for entry in listed if not isinstance(entry, ServiceProviderCode)]
    return TNAuthList((*parent.entries, *numbers))


def numbers_of_codes(entries: TNAuthList, policy: TrustPolicy) -> tuple[TNAuthList, ...]:
    """What the policy's directory lists for the codes of a list."""
    return tuple(numbers for code, numbers in policy.directory if code in entries.codes)


def check_within(scope: TNAuthList, child: TNAuthList, policy: TrustPolicy) -> None:
    """Raise CertificateError unless the child's list lies within the scope of the certificate above."""
    try:
        check_encompassing(scope, child, by_code=policy.code_parents is CodeParents.ADMIT)
    except TNAuthListError as error:
        raise CertificateError("encompassing", str(error)) from error


def _is_known(stated: x509.PolicyInformation, leaf: bool) -> bool:
    oid = stated.policy_identifier.dotted_string
    return oid.startswith(KNOWN_POLICY_ARCS) or (oid == ANY_POLICY and not leaf)
