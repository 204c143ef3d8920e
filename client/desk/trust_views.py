"""What an account shows of whom it believes; times are as in client.desk.views, digests SHA-256 in hexadecimal."""

from typing import Literal

from client.desk.views import Moment, View

CodeParentsWord = Literal["admit", "refuse", "directory"]


class PinView(View, frozen=True, kw_only=True):
    """An issuer that counts below a root: the SHA-256 of its key, and its name."""

    issuer: str
    subject: str


class AnchorView(View, frozen=True, kw_only=True):
    """A root. `numbers`: what it is bounded to; `key`: SHA-256 of its key, the same after a renewal.

    `known`: it is trusted here already; `imported` by the person, or part of the enrolment. With `pins` only those
    issuers count below it. `valid`: within its time now.
    """

    fingerprint: str
    key: str
    subject: str
    numbers: str
    not_before: Moment
    not_after: Moment
    valid: bool
    known: bool = True
    imported: bool = False
    added: Moment | None = None
    pins: tuple[PinView, ...] = ()


class CodeView(View, frozen=True, kw_only=True):
    """What the person's directory says of a service provider code: the prefixes of its numbers."""

    code: str
    prefixes: list[str]


class LogView(View, frozen=True, kw_only=True):
    """A log that may vouch for certificates; `log`: SHA-256 of its key."""

    name: str
    log: str


class TrustView(View, frozen=True, kw_only=True):
    """The whole trust of this account: `fingerprint` names it, and changes with everything that changes results.

    The switches are those of docs/binding.md §2.3. `trouble`: why this device's own certificate does not count under
    it; "" if it does.
    """

    fingerprint: str
    anchors: list[AnchorView]
    non_ecdsa_issuers: bool
    code_parents: CodeParentsWord
    code_leaves: bool
    unknown_policies: bool
    scts: int
    uri_identities: bool
    codes: list[CodeView]
    logs: list[LogView]
    trouble: str = ""


class FootingView(View, frozen=True, kw_only=True):
    """What stands on a root alone: chats with such members, their numbers, and whether this device is one of them."""

    fingerprint: str
    subject: str
    own: bool
    chats: list[str]
    numbers: list[str]
    last: bool


class GroupAnchorsView(View, frozen=True, kw_only=True):
    """The set of trust anchors that a chat names, "" if none, and whether it is this account's own."""

    group: str
    named: str
    own: str
    same: bool
