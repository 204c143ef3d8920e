"""A member's statement that it cannot apply a commit, signed with the key of its leaf (docs/binding.md §3.5).

The delivery service counts such statements and passes them on with the entry that takes the commit back, so that a
device which could apply it goes back on the word of its group's members, and not on that of the service.
"""

from dataclasses import dataclass

from identity.groups.member_statement import GROUP_ID_LIMIT, MemberStatement

LABEL = b"ringtrue rejected commit\n"
DIGEST_SIZE = 32  # octets: SHA-256


@dataclass(frozen=True, slots=True)
class RejectedCommit(MemberStatement):
    """A commit by its place: group, the epoch that it ends, sequence number, and SHA-256 of its MLSMessage."""

    group_id: bytes
    epoch: int
    seq: int
    digest: bytes

    def signed(self) -> bytes:
        """The octets that are signed: the label, the group id after its length, epoch and number as uint64, the digest.

        Raises ValueError for what no commit can have.
        """
        if not 0 < len(self.group_id) <= GROUP_ID_LIMIT or len(self.digest) != DIGEST_SIZE:
            raise ValueError("a group id has 1 to 255 octets, a digest 32")
        if not (0 <= self.epoch < 1 << 64 and 0 <= self.seq < 1 << 64):
            raise ValueError("epoch and sequence number are unsigned, of 64 bits")
        place = self.epoch.to_bytes(8) + self.seq.to_bytes(8)
        return LABEL + bytes((len(self.group_id),)) + self.group_id + place + self.digest
