"""What an account shows of its number's devices, and of linking one; times are as in client.desk.views."""

from typing import Literal

import msgspec

from client.desk.views import Moment, View


class LeftOutView(View, frozen=True, kw_only=True):
    """A chat that a device is still to come into; `why` says what kept it from that."""

    chat: str
    why: str


class DeletedView(View, frozen=True, kw_only=True):
    """What the delivery service has deleted, in numbers; `remains` says in a sentence each what it still keeps."""

    key_packages: int
    welcomes: int
    sessions: int
    contacts: int
    remains: list[str]


class OwnDeviceView(View, frozen=True, kw_only=True):
    """One device of this account's number. `this`: the one that is asked.

    `state`: of its newest certificate that is known, empty if none is; `certificate_ends`: when that ends. `words` say
    how it is known. `met`: whether it is one's own, as the person has said; one that was `removed`, or that somebody
    else had certified, is not. `chats`: the names of those it is in beside this device.
    """

    key: str
    name: str
    this: bool
    met: bool
    removed: bool
    words: str
    state: Literal["valid", "expired", "revoked", ""]
    certificate_ends: Moment | None
    since: Moment | None
    chats: list[str]
    left_out: list[LeftOutView]


class LinkView(View, frozen=True, kw_only=True):
    """A second device being linked.

    `state`: waiting (for the code to be typed into it), comparing (for a person to agree), granting (until it has its
    certificate), adding (to the chats), done, or ended, which `why` and `hint` explain. `step` counts the changes.
    `code` is to be typed, `uri` to be scanned, both until `ends`. From comparing on, `name` is what the other device
    calls itself, `key` its key, and `comparison` what it must show as well. `chats` counts those that it came into.
    `trouble`: why nothing goes on now, such as no network.
    """

    step: int
    state: Literal["waiting", "comparing", "granting", "adding", "done", "ended"]
    code: str
    uri: str
    authority: str
    ends: Moment
    name: str = ""
    key: str = ""
    comparison: str = ""
    chats: int = 0
    left_out: list[LeftOutView] = msgspec.field(default_factory=list)
    error: str = ""
    why: str = ""
    hint: str = ""
    trouble: str = ""
