"""Roots from files: what may become a trust anchor, and what lies beside the store for verifying without it."""

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from client.errors import TrustError
from client.storage.home import Home, write_private
from identity.certificate_fields import check_issuer, known_extension, load_certificate, validity
from identity.errors import CertificateError, TNAuthListError
from identity.tn_auth_list import TNAuthList
from identity.transparency.log_key import LogKey
from identity.trust import CodeParents, Pin, TrustAnchors, TrustPolicy

IMPORT_LIMIT = 32  # certificates in one file: each is looked at by a person


class PolicyFile(msgspec.Struct, frozen=True):
    """A policy beside the store; octets are base64. It holds no secret, and changes what verifying without it says."""

    non_ecdsa_issuers: bool = False
    code_parents: CodeParents = CodeParents.ADMIT
    code_leaves: bool = True
    unknown_policies: bool = True
    pins: list[tuple[bytes, bytes]] = []
    logs: list[tuple[str, bytes]] = []
    scts: int = 0
    uri_identities: bool = False
    directory: list[tuple[str, bytes]] = []


def read_roots(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM text, each within the limits for certificates. Raises CertificateError."""
    roots = TrustAnchors.from_pem(pem).roots
    return tuple(load_certificate(root.public_bytes(Encoding.DER)) for root in roots)


def examine(pem: bytes, now: int) -> tuple[x509.Certificate, ...]:
    """Read what somebody wants to import, in the order of the file. Raises TrustError; the first fault ends it.

    1. PEM of 1 to IMPORT_LIMIT certificates       3. each is its own issuer, and signed by its own key
    2. each is a CA's that certifies others        4. each is valid now
    """
    try:
        roots = tuple(dict.fromkeys(read_roots(pem)))
    except CertificateError as error:
        raise TrustError(str(error), code=error.code, hint="Choose a file of PEM certificates.") from error
    if len(roots) > IMPORT_LIMIT:
        raise TrustError(f"the file holds more than {IMPORT_LIMIT} certificates", code="too-many")
    for root in roots:
        _check_root(root, now)
    return roots


def _check_root(root: x509.Certificate, now: int) -> None:
    name = ascii(root.subject.rfc4514_string())
    try:
        check_issuer(root)
    except CertificateError as error:
        raise TrustError(f"{name}: {error}", code=error.code, hint="Ask for the root's certificate.") from error
    if root.subject != root.issuer or not _signs_itself(root):
        raise TrustError(
            f"{name} is an issuer below {root.issuer.rfc4514_string()!a}, not a root",
            code="not-a-root",
            hint="Import that root; to believe this issuer alone below it: ringtrue trust pin FILE",
        )
    if known_extension(root, x509.SubjectKeyIdentifier) is None:
        raise TrustError(f"{name} has no key identifier, so no chain leads to it (RFC 9060 §5)", code="no-ca")
    not_before, not_after = validity(root)
    if not not_before <= now <= not_after:
        raise TrustError(f"{name} is not valid now", code="expired", hint="Ask for the present root.")


def _signs_itself(root: x509.Certificate) -> bool:
    try:
        root.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def write_trust(home: Home, trust: TrustAnchors) -> None:
    """Keep roots and policy readable beside the store, for verifying while the account is in use elsewhere."""
    policy = trust.policy
    logs = [(log.name, log.spki) for log in policy.logs if isinstance(log, LogKey)]
    stated = PolicyFile(
        non_ecdsa_issuers=policy.non_ecdsa_issuers,
        code_parents=policy.code_parents,
        code_leaves=policy.code_leaves,
        unknown_policies=policy.unknown_policies,
        pins=sorted((pin.root, pin.issuer) for pin in policy.pins),
        logs=logs,
        scts=policy.scts,
        uri_identities=policy.uri_identities,
        directory=[(code, numbers.encode()) for code, numbers in policy.directory],
    )
    write_private(home.anchors, b"".join(root.public_bytes(Encoding.PEM) for root in trust.roots))
    write_private(home.trust_policy, msgspec.json.encode(stated))


def read_trust(home: Home) -> TrustAnchors:
    """What `write_trust` wrote; roots alone stand under the default policy. Raises OSError, CertificateError."""
    pem = home.anchors.read_bytes()
    try:
        policy = _policy(home.trust_policy.read_bytes())
    except FileNotFoundError:
        policy = TrustPolicy()
    return TrustAnchors.from_pem(pem, policy)


def _policy(octets: bytes) -> TrustPolicy:
    try:
        stated = msgspec.json.decode(octets, type=PolicyFile)
        return TrustPolicy(
            non_ecdsa_issuers=stated.non_ecdsa_issuers,
            code_parents=stated.code_parents,
            code_leaves=stated.code_leaves,
            unknown_policies=stated.unknown_policies,
            pins=frozenset(Pin(root, issuer) for root, issuer in stated.pins),
            logs=tuple(LogKey(name, spki) for name, spki in stated.logs),
            scts=stated.scts,
            uri_identities=stated.uri_identities,
            directory=tuple((code, TNAuthList.decode(der)) for code, der in stated.directory),
        )
    except (msgspec.MsgspecError, TNAuthListError) as error:
        raise CertificateError("malformed", "the file of the trust policy cannot be read") from error
