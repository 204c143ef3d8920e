"""What ends a group, signed with the key of a member's leaf: a successor takes its place, or it is deleted.

The delivery service cannot make such a statement, and members follow none that is not by somebody who may change the
group (docs/binding.md §3.7).
"""

from dataclasses import dataclass

from identity.groups.member_statement import GROUP_ID_LIMIT, MemberStatement

LABEL = b"ringtrue group ending\n"


@dataclass(frozen=True, slots=True)
class GroupEnding(MemberStatement):
    """A group ends; `successor` is the id of the group that takes its place, empty if none does."""

    group_id: bytes
    successor: bytes = b""

    def signed(self) -> bytes:
        """The label, then both ids, each after its length in one octet. Raises ValueError for what is no id."""
        if not 0 < len(self.group_id) <= GROUP_ID_LIMIT or len(self.successor) > GROUP_ID_LIMIT:
            raise ValueError("a group id has 1 to 255 octets")
        return LABEL + b"".join(bytes((len(each),)) + each for each in (self.group_id, self.successor))
