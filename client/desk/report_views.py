"""What an account shows of reports and what follows from them; numbers, times and rows are as in client.desk.views."""

from client.desk.views import Moment, View


class ReportItemView(View, frozen=True, kw_only=True):
    """One message in a report, with its words as its receiver sees them; an edited message is two."""

    row: int
    text: str
    sent: Moment
    arrived: Moment
    size: int


class ReportView(View, frozen=True, kw_only=True):
    """A report: exactly what is disclosed to whom. Before it is `sent`, what would be.

    `items` are its messages, `numbers` every number that appears in it, `redacted` says why and what is left out;
    `json` is what travels, of `size` octets, and `sha256` of the evidence in it is what the reporter signs. Whether it
    `proves` something was checked as the authority checks it, and `why` it does not. `by_frank`: what the delivery
    service confirms is shown, and no PASSporT. `words`: what came of it.
    """

    rows: list[int]
    accused: str
    name: str | None
    kind: str
    note: str
    items: list[ReportItemView]
    numbers: list[str]
    redacted: str
    authority: str
    size: int
    sha256: str
    json: str
    proves: bool
    why: str
    by_frank: bool = False
    sent: bool = False
    counted: bool = False
    words: str = ""


class StatusOfView(View, frozen=True, kw_only=True):
    """What the authority's last list says of a number: clear, reported or withdrawn; `known` if that list is fresh."""

    number: str
    status: str
    label: str
    words: str
    known: bool


class StatusListView(View, frozen=True, kw_only=True):
    """The list of numbers with a status that this device has; one that is not fresh is not used."""

    serial: int | None
    count: int
    fetched: Moment | None
    expires: Moment | None
    fresh: bool
    words: str


class StandingView(View, frozen=True, kw_only=True):
    """What counts against one's own number: its status and end, how many reports of which kinds, one's appeal."""

    number: str
    status: str
    label: str
    ends: Moment | None
    count: int
    kinds: dict[str, int]
    appeal: str | None
    words: str
