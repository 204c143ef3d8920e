"""The token authority's own keys: a root that certification authorities trust, and the key that signs tokens."""

import secrets
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import jwt
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.keys import ISSUER, ROOTS, AuthorityKeys, certificates_pem, new_secret, replace_certificates
from identity.authority.tokens.wire import TOKEN_LIFETIME, Right
from identity.certificate_fields import validity
from identity.enrolment.authority_token import AuthorityTokenChallenge
from identity.issuing import create_root, root_certificate, token_signer_certificate

ROOT_NAME = "Ringtrue development token root"
SIGNER_NAME = "Ringtrue development token authority"
YEAR = 365 * 86_400  # seconds
ROOT_LIFETIME = 10 * YEAR
ROOT_RENEWAL = 2 * YEAR  # left of the root when the next one is published; the key, and so its trust, stays the same
SIGNER_LIFETIME = YEAR
SIGNER_RENEWAL = 30 * 86_400  # left of the signer's certificate when it is renewed


class TokenSigner:
    """Signs tokens under the keys given, where `issuer` stands for the signer; renewed certificates go to `folder`."""

    def __init__(self, keys: AuthorityKeys, base_url: str, now: int, folder: Path | None = None) -> None:
        self._keys = keys
        self._base_url = base_url
        self._folder = folder
        self._refresh(now)

    @property
    def roots(self) -> tuple[x509.Certificate, ...]:
        """The roots under which its tokens verify."""
        return self._keys.roots

    @property
    def roots_pem(self) -> bytes:
        """The same roots for certification authorities to install."""
        return certificates_pem(self._keys.roots)

    def sign(self, atc: AuthorityTokenChallenge, right: Right, key: str | None, now: int) -> str:
        """Sign a token (RFC 9448 §5); `key` is the thumbprint of the only key that it certifies, if there is one."""
        self._refresh(now)
        claims: dict[str, object] = {
            "iss": self._base_url,
            "iat": now,
            "exp": now + TOKEN_LIFETIME,
            "jti": secrets.token_urlsafe(16),
            "atc": atc,
            "right": right,
        }
        if key is not None:
            claims["cnf"] = {"jkt": key}
        headers = {"typ": "JWT", "x5c": [b64encode(self._keys.issuer.public_bytes(Encoding.DER)).decode("ascii")]}
        return jwt.PyJWS().encode(msgspec.json.encode(claims), self._keys.issuer_key, "ES256", headers)

    def _refresh(self, now: int) -> None:
        """Renew root and signer certificate when their time comes, each with its old key."""
        if _end(self._keys.roots[0]) - now < ROOT_RENEWAL:
            root = root_certificate(self._keys.root_key, ROOT_NAME, now, ROOT_LIFETIME)
            roots = (root, *(old for old in self._keys.roots if _end(old) >= now))
            self._keys = replace(self._keys, roots=roots)
            self._save(ROOTS, roots)
        if _end(self._keys.issuer) - now < SIGNER_RENEWAL:
            key = self._keys.issuer_key.public_key()
            root_key, root = self._keys.root_key, self._keys.roots[0]
            signer = token_signer_certificate(root_key, root, key, SIGNER_NAME, now, SIGNER_LIFETIME)
            self._keys = replace(self._keys, issuer=signer)
            self._save(ISSUER, (signer,))

    def _save(self, name: str, certificates: tuple[x509.Certificate, ...]) -> None:
        if self._folder is not None:
            replace_certificates(self._folder, name, certificates)


def create_token_keys(now: int) -> AuthorityKeys:
    """Make the keys of a new token authority."""
    root_key, root = create_root(ROOT_NAME, now, ROOT_LIFETIME)
    key = ec.generate_private_key(ec.SECP256R1())
    signer = token_signer_certificate(root_key, root, key.public_key(), SIGNER_NAME, now, SIGNER_LIFETIME)
    return AuthorityKeys(root_key, (root,), key, signer, new_secret())


def _end(certificate: x509.Certificate) -> int:
    return validity(certificate)[1]
