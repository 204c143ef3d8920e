"""What an account shows of its admission rules; numbers, times and rows are as in client.desk.views."""

from typing import Literal

from client.desk.views import Moment, Place, View


class RuleView(View, frozen=True, kw_only=True):
    """One admission rule. `words` say what it does; `count` and `last`: how often it has hidden something, and when.

    `own`: it is a person's, and not as this program comes with it.
    """

    name: str
    words: str
    place: Place
    count: int
    last: Moment | None
    own: bool


class RulesView(View, frozen=True, kw_only=True):
    """The rules in force, in their order. `saved`: when a person saved their own; else they came with this program.

    `trouble`: why saved rules cannot be used, in which case `rules` are those that this program comes with.
    """

    rules: list[RuleView]
    toml: str
    saved: Moment | None
    trouble: str


class CountView(View, frozen=True, kw_only=True):
    """How often a rule has put something outside the inbox since this account exists; a rule may be gone meanwhile."""

    rule: str
    place: Place
    count: int
    last: Moment


class ChangeView(View, frozen=True, kw_only=True):
    """A chat, or the message of a row, that other rules would have put elsewhere; a rule is empty for the inbox."""

    subject: Literal["chat", "message"]
    group: str
    row: int | None
    number: str
    name: str | None
    at: Moment
    before: Place
    before_rule: str
    after: Place
    rule: str


class MoveView(View, frozen=True, kw_only=True):
    """How many changes go from one place to another by the same rule."""

    subject: Literal["chat", "message"]
    before: Place
    after: Place
    rule: str
    count: int


class TrialView(View, frozen=True, kw_only=True):
    """What rules would have done with everything so far; `chats` and `messages` were tried.

    `moves` count all `changes`, most first; the list holds the newest ones.
    """

    chats: int
    messages: int
    moves: list[MoveView]
    changes: list[ChangeView]
