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
        certificate = self._certificate()
        urgent, quiet = (certificate, Content("")) if certificate.spans else (Content(""), certificate)
        parts = (
            self._hidden(),
            self._alarms(),
            self._revoked(),
            self._network(),
            urgent,
            self._asking(),
            *self._flight(),
            self._owner(),
            quiet,
        )
        return Content("  -  ").join(part for part in parts if part.plain)

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

    def _alarms(self) -> Content:
        """Stays until every alarm was put away."""
        alarms = 0 if self.status is None else self.status.alarms
        return Content.styled(f"✗ {alarms} ALARM{'S' * (alarms != 1)}: /alarms" if alarms else "", "bold $text-error")

    def _revoked(self) -> Content:
        revoked = self.status is not None and self.status.revoked
        return Content.styled("✗ YOUR CERTIFICATE WAS REVOKED: F5" if revoked else "", "bold $text-error")

    def _asking(self) -> Content:
        """Who waits for an answer; in a narrow window the list that says so may not be in view."""
        requests = 0 if self.status is None else self.status.requests
        return Content.styled(f"! {requests} request{'s' * (requests != 1)}" if requests else "", "$text-warning")

    def _flight(self) -> list[Content]:
        status = self.status
        if status is None:
            return [Content(f"↻ {self.doing}" if self.doing else "")]
        files = f"{status.transfers} file{'s' * (status.transfers != 1)} on the way: /transfers"
        what = self.doing or status.doing or (files if status.transfers else "")
        trouble = "" if not status.trouble or status.revoked else f"⚠ {status.trouble}"
        waiting = f"{status.waiting} waiting to send" if status.waiting else "0 waiting"  # 80 columns hold the rest too
        return [
            Content.styled(f"↻ {what}" if what else "", "$text-accent"),
            Content.styled(waiting, "$text-warning" if status.waiting else ""),
            Content.styled(trouble, "bold $text-error"),
        ]

    def _owner(self) -> Content:
        return Content("" if self.account is None or self.incognito else f"as {spelled(self.account.number)}")

    def _certificate(self) -> Content:
        """How long the certificate lasts; without any style as long as there is nothing to do about it."""
        if self.account is None or self.now is None:
            return Content("")
        left = self.account.certificate_ends - self.now
        if left <= timedelta(0):
            return Content.styled("✗ your certificate has ended; others see that", "bold $text-error")
        style = "bold $text-warning" if left < timedelta(days=DAYS_LEFT_TO_SAY) else ""
        return Content.styled(f"certificate ends in {_remaining(left)}", style)


def _remaining(left: timedelta) -> str:
    if left.days >= 1:
        return f"{left.days} day{'' if left.days == 1 else 's'}"
    hours = int(left.total_seconds() // 3600)
    return f"{hours} hour{'' if hours == 1 else 's'}" if hours else "less than an hour"


def _clock(moment: datetime, now: datetime | None) -> str:
    local = moment.astimezone()
    today = now is not None and now.astimezone().date() == local.date()
    return f"{local:%H:%M}" if today else f"{local:%H:%M} on {local.day} {local:%b}"
