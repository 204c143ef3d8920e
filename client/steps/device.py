"""This device as an MLS client: its engine, and the rule by which it believes credentials (docs/binding.md)."""

from collections.abc import Sequence

import mls_rs

from client.credentials.account import Account
from identity import device
from identity.binding import DeviceVerifier
from identity.errors import BindingError
from identity.groups.eviction import IDLE_EXTENSION, service_uri
from identity.groups.group_trust import ANCHORS_EXTENSION
from identity.groups.roles import ROLES_EXTENSION
from identity.number import TelephoneNumber
from identity.status.ocsp import STAPLE_EXTENSION

CIPHER_SUITE = 2  # MLS_128_DHKEMP256_AES128GCM_SHA256_P256


def make_engine(
    account: Account,
    verifier: DeviceVerifier,
    *,
    joining: bool = False,
    leaf_extensions: Sequence[tuple[int, bytes]] = (),
) -> mls_rs.Engine:
    """The engine for the account's key and chain; every leaf of every group is asked about at `verifier`.

    One for `joining` a group accepts members there whose certificates have ended (`DeviceVerifier.verify_member`).
    """

    def validate(credential: mls_rs.Credential, signature_key: bytes, now: int) -> mls_rs.Approval:
        _require_x509(credential)
        believe = verifier.verify_member if joining else verifier.verify
        found = believe(credential.chain, signature_key, now)
        return mls_rs.Approval(found.identity, found.chain.not_before, found.chain.not_after)

    def validate_external(credential: mls_rs.Credential, signature_key: bytes, now: int) -> None:
        # Nobody but the delivery service of this account proposes from outside; what it does is judged when it comes.
        if credential != mls_rs.Credential.basic(service_uri(account.host).encode()):
            raise BindingError("external-sender", "the group names another external sender than its service", check=4)

    def succeed(old: mls_rs.Credential, old_key: bytes, new: mls_rs.Credential, new_key: bytes) -> None:
        _require_x509(old)
        _require_x509(new)
        verifier.check_successor(old.chain, new.chain)

    credential = mls_rs.Credential.x509(account.chain)
    # Each leaf says that its client knows them (RFC 9420 §7.2).
    extension_types = (ROLES_EXTENSION, ANCHORS_EXTENSION, STAPLE_EXTENSION, IDLE_EXTENSION)
    return mls_rs.Engine(
        CIPHER_SUITE,
        credential,
        account.scalar(),
        validate,
        succeed,
        validate_external=validate_external,
        extension_types=extension_types,
        leaf_extensions=leaf_extensions,
    )


def number_of(member: mls_rs.Member) -> TelephoneNumber:
    """The number of a member that `validate` approved: the first part of its identity."""
    return device.number_of(member.identity)


def _require_x509(credential: mls_rs.Credential) -> None:
    if credential.kind != "x509":
        raise BindingError("credential-type", "only X.509 credentials are allowed in this profile", check=4)
