"""Whom the service believes: the binding of a leaf to a number, in the shape that the MLS engine asks for."""

from mls_rs import Approval, Commit, Credential

from delivery_service.errors import RefusedError
from delivery_service.revocations import KnownLists
from identity.binding import DeviceIdentity, DeviceVerifier
from identity.certificates import TrustAnchors
from identity.device import number_of
from identity.errors import IdentityError


class Credentials:
    """Judges X.509 credentials under the service's trust anchors."""

    def __init__(self, anchors: TrustAnchors, lists: KnownLists | None = None) -> None:
        self._verifier = DeviceVerifier(anchors)
        self._lists = lists

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
        if commit.committer is not None:
            index = commit.committer.index
            committer = next((new for old, new in commit.updated if old.index == index), commit.committer)
            self.device(committer.credential.chain, committer.signature_key, now)

    def check_brought(self, commit: Commit, now: int) -> None:
        """Refuse as invalid-handshake a commit that brings a revoked certificate into the group."""
        for leaf in (*commit.added, *(after for _, after in commit.updated)):
            try:
                self.device(leaf.credential.chain, leaf.signature_key, now)
            except RefusedError as error:
                raise RefusedError("invalid-handshake", f"leave {number_of(leaf.identity)} out: {error}") from error

    def device(self, chain: tuple[bytes, ...], signature_key: bytes, now: int) -> DeviceIdentity:
        """The device of a chain and key; refuses credential-refused, certificate-revoked."""
        try:
            device = self._verifier.verify(chain, signature_key, now)
        except IdentityError as error:
            raise RefusedError("credential-refused", str(error)) from error
        if self._lists is not None:
            self._lists.check_known(device.chain, now)
        return device
