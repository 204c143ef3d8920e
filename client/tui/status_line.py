"""The line at the foot of the main screen: how the account stands, what is in flight, what is wrong."""

from datetime import datetime, timedelta

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from client.desk.views import AccountView, StatusView
from client.tui.chat_lines import spelled

DAYS_LEFT_TO_SAY = 2  # a certificate that ends sooner is shown as a warning


class StatusLine(Static):
    """One row; what matters most stands first, for a narrow window cuts off the end."""

    DEFAULT_CSS = """
    StatusLine {
        height: 1;
        width: 1fr;
        padding: 0 1;
        background: $panel;
        color: $text-muted;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    incognito: reactive[bool] = reactive(False)
    status: reactive[StatusView | None] = reactive(None)
    account: reactive[AccountView | None] = reactive(None)
    doing: reactive[str] = reactive("")
    now: reactive[datetime | None] = reactive(None)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)

    def render(self) -> Content:
        """What is to be said now."""
        parts = [part for part in (self._hidden(), self._network(), *self._flight(), *self._owner()) if part.plain]
        return Content("  -  ").join(parts)

    def _hidden(self) -> Content:
        return Content.styled("⊘ INCOGNITO", "bold $text-warning") if self.incognito else Content("")

    def _network(self) -> Content:
        if self.status is None:
            return Content("- connecting")
        if self.status.online:
            return Content.assemble(("✓", "$text-success"), " online")
        if self.status.since is None:
            return Content("- connecting")
        return Content.styled(f"✗ offline since {_clock(self.status.since, self.now)}", "bold $text-warning")

    def _flight(self) -> list[Content]:
        status = self.status
        if status is None:
            return [Content(f"↻ {self.doing}" if self.doing else "")]
        what = self.doing or status.doing
        trouble = "" if not status.trouble else f"⚠ {status.trouble}"
        waiting = f"{status.waiting} waiting to send"
        return [
            Content.styled(trouble, "bold $text-error"),
            Content.styled(f"↻ {what}" if what else "", "$text-accent"),
            Content.styled(waiting, "$text-warning" if status.waiting else ""),
        ]

    def _owner(self) -> list[Content]:
        if self.account is None or self.now is None:
            return []
        left = self.account.certificate_ends - self.now
        ends = Content(f"certificate ends in {_remaining(left)}")
        if left <= timedelta(0):
            ends = Content.styled("✗ your certificate has ended; others see that", "bold $text-error")
        elif left < timedelta(days=DAYS_LEFT_TO_SAY):
            ends = ends.stylize("bold $text-warning")
        if self.incognito:
            return [ends]
        return [Content(f"as {spelled(self.account.number)}"), ends]


def _remaining(left: timedelta) -> str:
    if left.days >= 1:
        return f"{left.days} day{'' if left.days == 1 else 's'}"
    hours = int(left.total_seconds() // 3600)
    return f"{hours} hour{'' if hours == 1 else 's'}" if hours else "less than an hour"


def _clock(moment: datetime, now: datetime | None) -> str:
    local = moment.astimezone()
    today = now is not None and now.astimezone().date() == local.date()
    return f"{local:%H:%M}" if today else f"{local:%H:%M} on {local.day} {local:%b}"
