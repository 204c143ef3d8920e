"""The JSON lines of commands that are no view: one shape each, for `ringtrue schema` and for whoever reads them."""

import msgspec

SCHEMA_VERSION = 1  # `v` of every line


class Line(msgspec.Struct, frozen=True):
    """What stands in a line beside `v` and `type`; fields may be added in later versions, never renamed."""


class Enrolled(Line, frozen=True):
    """An account is ready; `anchors` is the fingerprint of the roots that it trusts."""

    number: str
    home: str
    anchors: str


class Membership(Line, frozen=True):
    """A number that was added to a chat, or removed from it."""

    number: str
    chat: str


class Written(Line, frozen=True):
    """A file that was written."""

    file: str


class Group(Line, frozen=True):
    """A chat that is no longer here, by its group id in hexadecimal."""

    group: str


class Answered(Line, frozen=True):
    """A number whose request to reach this account was answered."""

    number: str


class Found(Line, frozen=True):
    """One thing that the doctor looked at, and in `detail` what to do if it is not right."""

    subject: str
    right: bool
    detail: str


class Ready(Line, frozen=True):
    """The daemon of this number listens at this socket."""

    number: str
    socket: str


class Warned(Line, frozen=True):
    """Something that whoever runs the daemon may want to know."""

    words: str


class Failed(Line, frozen=True):
    """The command failed; `code` is its exit code, `reason` the stable word, `hint` what to do."""

    code: int
    reason: str
    detail: str
    hint: str


class FailedCheckLine(Line, frozen=True):
    """The check that failed."""

    number: int
    name: str


class CheckLine(Line, frozen=True):
    """One numbered check: what it compared, or why it did not pass; `code` is that of RFC 8224 §6.2.2."""

    number: int
    name: str
    outcome: str
    compared: str
    code: int | None


class Verified(Line, frozen=True):
    """The verdict on an exported message; `signed` and `group` only where its signature was verified."""

    text: str
    verdict: str
    label: str
    number: str | None
    reason: str
    code: int | None
    check: FailedCheckLine | None
    signed: str | msgspec.UnsetType = msgspec.UNSET
    group: str | msgspec.UnsetType = msgspec.UNSET
    checks: list[CheckLine] = []


class SaidLine(Line, frozen=True):
    """What a token says, and nobody else: its type (`ppt`), who to whom, and when."""

    ppt: str
    orig: str
    dest: list[str]
    signed: str


class PresentedLine(Line, frozen=True):
    """How a signer asks to be presented: a claim, whose `issuer` vouches for it only where it is `bound`."""

    name: str
    number: str | None
    icon: str | None
    reason: str | None
    issuer: str
    bound: bool


class VerifiedToken(Line, frozen=True):
    """The verdict on one PASSporT; `says` only where its signature was verified: type, orig, dest, and when."""

    place: str
    verdict: str
    label: str
    number: str | None
    reason: str
    code: int | None
    check: FailedCheckLine | None
    checks: list[CheckLine]
    says: SaidLine | None
    claimed: PresentedLine | None
    fetch: str | None


class VerifiedReport(Line, frozen=True):
    """What became of a report in a file; `accused`, `reporter` and `texts` only if every check has passed."""

    verified: bool
    accused: str | None
    reporter: str | None
    kind: str | None
    signed: str
    texts: list[str]
    check: FailedCheckLine | None


class RulesText(Line, frozen=True):
    """A list of admission rules as TOML; `own` if a person has saved it."""

    toml: str
    own: bool
