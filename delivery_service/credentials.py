"""Whom the service believes: the binding of a leaf to a number, in the shape that the MLS engine asks for."""

from mls_rs import Approval, Commit, Credential

from delivery_service.errors import RefusedError
from identity.binding import DeviceIdentity, DeviceVerifier
from identity.certificates import TrustAnchors
from identity.errors import IdentityError


class Credentials:
    """Judges X.509 credentials under the service's trust anchors."""

    def __init__(self, anchors: TrustAnchors) -> None:
        self._verifier = DeviceVerifier(anchors)

    def validate(self, credential: Credential, signature_key: bytes, now: int) -> Approval:
        """The engine's `validate`. Raises IdentityError."""
        device = self._verifier.verify(credential.chain, signature_key, now)
        return Approval(device.identity, device.chain.not_before, device.chain.not_after)

    def succeed(self, old: Credential, old_key: bytes, new: Credential, new_key: bytes) -> None:
        """The engine's `succeed`: a leaf keeps its number (RFC 9420 §5.3.1). Raises IdentityError."""
        self._verifier.check_successor(old.chain, new.chain)

    def check_committer(self, commit: Commit, now: int) -> None:
        """Refuse as not-allowed a commit by an expired member that puts no valid certificate into its leaf."""
        try:
            self._verifier.check_committer(commit, now)
        except IdentityError as error:
            raise RefusedError("not-allowed", f"the committer has no valid certificate: {error}") from error

    def device(self, chain: tuple[bytes, ...], signature_key: bytes, now: int) -> DeviceIdentity:
        """The device of a chain and key; refuses credential-refused."""
        try:
            return self._verifier.verify(chain, signature_key, now)
        except IdentityError as error:
            raise RefusedError("credential-refused", str(error)) from error
