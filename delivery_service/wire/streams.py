"""How an event stream says many heads, and why it ends."""

from typing import Literal, TypeAlias

import msgspec

GROUPS_PER_EVENT = 1_000  # heads in one event; more come in several, one after the other
STREAM_END = "end"  # the name of a stream's last event, whose data is a StreamEnd

EndReason: TypeAlias = Literal[
    "slow-reader",  # an event waited too long to be read
    "session-expired",  # open a session, then a stream
    "certificate-revoked",
    "too-many",  # the device opened more streams or waiting reads than it may have
    "overloaded",  # the store did not answer
    "stopping",  # the service ends
]


class StreamEnd(msgspec.Struct, frozen=True):
    """The last event of a stream, where it could still be written."""

    reason: EndReason
