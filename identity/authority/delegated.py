"""An authority below another (RFC 9060): from a request, by the issuer's answer, to a data folder that serves.

request_delegation    a key and a request for it; in a folder that has an authority below another, for the same key
grant                 the issuer's side: the request against a certificate, published as all that it issues
import_delegation     the answer, checked, becomes the folder's authority, or its next certificate
"""

from contextlib import closing
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.errors import DataFolderError
from identity.authority.folder import adopt_keys, open_folder
from identity.authority.issuer import IssuedPath
from identity.authority.keys import (
    DelegatedKeys,
    have_keys,
    is_delegated,
    make_key,
    new_secret,
    private_folder,
    read_delegated_keys,
    read_key,
    replace_delegated_certificates,
)
from identity.authority.log.service import open_own_log
from identity.authority.store import PublishedPath
from identity.certificate_fields import certificate_tn_auth_list, load_pem, validity
from identity.enrolment.delegation import delegation_csr
from identity.errors import CertificateError
from identity.issuer_path import verify_issuer_path
from identity.tn_auth_list import TNAuthList
from identity.trust import TrustAnchors

WAITING_KEY = "delegation.key"  # of a request that was not answered yet
ANSWER_LIMIT = 1_048_576  # octets of PEM


def request_delegation(folder: Path, name: str, authority: TNAuthList, path_length: int) -> bytes:
    """Make a request (PKCS #10, DER) with a key that stays in the folder. Raises DataFolderError, CertificateError."""
    private_folder(folder)
    _require_no_root(folder)
    return delegation_csr(_key(folder), name, authority, path_length)


def grant(folder: Path, request: bytes, lifetime: int, now: int) -> IssuedPath:
    """Certify a sub-issuer with the authority of a folder, which may be running; `lifetime` in seconds.

    Raises CertificateError, DataFolderError.
    """
    if not have_keys(folder):
        raise DataFolderError(f"{folder} has no authority yet; `authority serve` makes one")
    store, issuer = open_folder(folder, now, None)
    with closing(store), closing(open_own_log(folder, issuer)):
        path = issuer.delegate(request, None, now, lifetime)
        with store.transaction():
            end = validity(path.leaf)[1]
            store.publish(PublishedPath(path.fingerprint, path.pem.decode("ascii"), end, now))
    return path


def import_delegation(folder: Path, pem: bytes, now: int) -> DelegatedKeys:
    """Take the issuer's answer: the certificate for the waiting key, those above it, and the root.

    1. PEM of two certificates or more, within its size     3. its certificate is for the key that waits here
    2. they are a path that is valid now, to its own root   4. it has a TNAuthList: what this authority may certify

    Raises CertificateError, DataFolderError.
    """
    issuer, *above, root = _path(pem)
    anchors = TrustAnchors((root,))
    verify_issuer_path([each.public_bytes(Encoding.DER) for each in (issuer, *above)], anchors, now)
    _require_no_root(folder)
    key = _key(folder, must_exist=True)
    if issuer.public_key() != key.public_key():
        raise CertificateError("key", f"the certificate is not for the key that waits in {folder}")
    if certificate_tn_auth_list(issuer) is None:
        raise CertificateError("tn-auth-list", "the certificate does not say for which numbers it is")
    if have_keys(folder):
        keys = DelegatedKeys((root,), tuple(above), key, issuer, read_delegated_keys(folder).secret)
        replace_delegated_certificates(folder, keys)
    else:
        keys = DelegatedKeys((root,), tuple(above), key, issuer, new_secret())
        adopt_keys(folder, keys)
        (folder / WAITING_KEY).unlink()
    return keys


def _require_no_root(folder: Path) -> None:
    if have_keys(folder) and not is_delegated(folder):
        raise DataFolderError(f"{folder} has an authority with a root of its own; choose another folder")


def _path(pem: bytes) -> list[x509.Certificate]:
    if len(pem) > ANSWER_LIMIT:
        raise CertificateError("too-large", f"an answer has at most {ANSWER_LIMIT} octets")
    path = load_pem(pem)
    if len(path) < 2:
        raise CertificateError("length", "the answer is the whole path: the certificate, those above it, the root")
    return path


def _key(folder: Path, *, must_exist: bool = False) -> ec.EllipticCurvePrivateKey:
    if have_keys(folder):
        return read_delegated_keys(folder).issuer_key
    waiting = folder / WAITING_KEY
    if waiting.exists():
        return read_key(waiting)
    if must_exist:
        raise DataFolderError(f"{folder} waits for no certificate; make a request first: authority delegate request")
    return make_key(waiting)
