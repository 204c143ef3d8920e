"""The groups of the mix: what their people send is made by real engines, as far as possible before it is sent."""

import os
import time
from collections import deque
from dataclasses import dataclass, field

import msgspec
from mls_rs import Group

from delivery_service.wire import CommitBundle
from identity.base64url import encode_base64url
from identity.reports.franking import TAG_SIZE, encode_aad
from lab.histories.devices import Device

TEXT = 870  # octets of a plaintext: about 1 KiB as a message
MESSAGES = 4  # ciphertexts of an epoch, used again in turn


@dataclass(frozen=True, slots=True)
class Step:
    """A commit with what belongs to it, and messages of the epoch that it begins."""

    bundle: bytes
    messages: tuple[bytes, ...]


@dataclass
class Chat:
    """A group with its only member, who writes messages and commits to it."""

    owner: Device
    group: Group  # in the epoch after the last step made
    messages: tuple[bytes, ...] = ()  # of the epoch that the service is in
    head: int = 0
    under_way: int = 0  # messages and reads; a commit waits until there is none
    committing: bool = False
    _steps: deque[Step] = field(default_factory=deque)
    _sent: int = 0

    @classmethod
    def found(cls, owner: Device) -> "Chat":
        """A group that the service does not know yet."""
        group = owner.engine.create(os.urandom(16), int(time.time()))
        return cls(owner, group, _messages(group))

    @property
    def path(self) -> str:
        """Of the group."""
        return f"/v1/groups/{encode_base64url(self.group.group_id).decode()}"

    @property
    def prepared(self) -> int:
        """How many commits can be sent without work of an engine."""
        return len(self._steps)

    def prepare(self, steps: int) -> None:
        """Have so many commits ready, each made on the one before."""
        while len(self._steps) < steps:
            pending = self.group.commit(int(time.time()), path=True)
            bundle = msgspec.msgpack.encode(CommitBundle(pending.commit, list(pending.welcomes), pending.group_info))
            self.group.apply(pending.secrets)
            self._steps.append(Step(bundle, _messages(self.group)))

    def message(self) -> bytes:
        """The next one."""
        self._sent += 1
        return self.messages[self._sent % len(self.messages)]

    def commit(self) -> bytes:
        """The bundle of the next one."""
        self.prepare(1)
        return self._steps[0].bundle

    def committed(self) -> None:
        """The service is in the next epoch."""
        self.messages = self._steps.popleft().messages


def _messages(group: Group) -> tuple[bytes, ...]:
    return tuple(group.encrypt(os.urandom(TEXT), encode_aad(os.urandom(TAG_SIZE))) for _ in range(MESSAGES))
