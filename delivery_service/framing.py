"""Which MLS messages the service carries, by what they say of themselves (RFC 9420 §6)."""

from mls_rs import Inspected

from delivery_service.errors import RefusedError

GROUP_ID_LIMIT = 255  # octets; RFC 9420 sets none, and an id is a key of every table
EPOCH_LIMIT = 2**63 - 1  # the database's integers end there
CIPHER_SUITE = 2  # MLS_128_DHKEMP256_AES128GCM_SHA256_P256: the profile's only suite
# The profile has no pre-shared keys: a commit with one that other members lack would lock them out of the group.
REFUSED_PROPOSALS = frozenset({"reinit", "external_init", "psk"})


# Who may make a handshake that is carried (RFC 9750 §5.2.2 wants a policy for joins from outside: here, nobody). An
# external commit trusts a GroupInfo whose freshness nobody in the group vouches for, can undo what the group healed,
# and puts a number in without a member's consent or any continuity with the device that had it before.
COMMIT_SENDERS = frozenset({"member"})


def check_group(inspected: Inspected, group_id: bytes) -> int:
    """The epoch that the message itself names; it must name the addressed group."""
    if inspected.group_id != group_id:
        raise RefusedError("malformed", "the message names another group than the address")
    if inspected.epoch is None:
        raise RefusedError("malformed", "the message names no epoch")
    if inspected.epoch > EPOCH_LIMIT:
        raise RefusedError("malformed", f"no group has come to epoch {inspected.epoch}")
    return inspected.epoch


def check_application(inspected: Inspected) -> None:
    """Application messages are always PrivateMessages (RFC 9420 §6); encrypted handshakes could not be judged."""
    if inspected.kind != "private_message" or inspected.content != "application":
        raise RefusedError("not-allowed", "entries are encrypted application messages and public proposals")


def check_handshake(inspected: Inspected, content: str) -> None:
    """Handshakes are PublicMessages of members: no external commits, external proposals or new-member proposals."""
    if inspected.kind != "public_message":
        raise RefusedError(
            "not-allowed", "handshakes must be PublicMessages, so that the service can order and check them"
        )
    if inspected.content != content:
        raise RefusedError("not-allowed", f"this is not a {content}")
    if inspected.sender not in COMMIT_SENDERS:
        raise RefusedError("not-allowed", "only members may send handshakes")
    if refused := REFUSED_PROPOSALS.intersection(inspected.proposals):
        raise RefusedError("not-allowed", f"this service does not carry {', '.join(sorted(refused))}")


def check_new_group(inspected: Inspected) -> bytes:
    """The id of a group that its GroupInfo founds: epoch 0, the profile's cipher suite."""
    if inspected.kind != "group_info" or inspected.group_id is None:
        raise RefusedError("malformed", "a group is founded by a GroupInfo")
    if inspected.epoch != 0:
        raise RefusedError("not-allowed", "a group is founded in epoch 0")
    if inspected.cipher_suite != CIPHER_SUITE:
        raise RefusedError("not-allowed", f"the cipher suite must be {CIPHER_SUITE}")
    if not 0 < len(inspected.group_id) <= GROUP_ID_LIMIT:
        raise RefusedError("not-allowed", f"a group id has 1 to {GROUP_ID_LIMIT} octets")
    return inspected.group_id


def check_next_group_info(inspected: Inspected, group_id: bytes, epoch: int) -> None:
    """A bundle's GroupInfo is that of the epoch which its commit starts."""
    if inspected.kind != "group_info" or inspected.group_id != group_id or inspected.epoch != epoch:
        raise RefusedError("invalid-handshake", f"the bundle needs the GroupInfo of this group's epoch {epoch}")
