"""How the account stands: its services, what waits, and what the doctor finds."""

from collections.abc import Iterator
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.desk.told import StatusChanged
from client.desk.views import AccountView, FindingView, StatusView
from client.errors import CertificateRevokedError
from client.failures import hint_inside
from client.tui.heard import Heard
from client.tui.screens.phrases import day_and_time
from client.tui.screens.sheet import Sheet
from client.words.spelling import counted, shown_number
from client.words.wording import OWN_REVOKED


class StatusScreen(Sheet[None]):
    """Follows the status while it is shown; looks at everything else when it opens and when asked again."""

    HEADING = "Status"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "look", "Look again"),
        Binding("s", "sync", "Sync now"),
    ]
    DEFAULT_CSS = """
    StatusScreen VerticalScroll Static {
        height: auto;
        margin-bottom: 1;
    }
    """

    def body(self) -> Iterator[Widget]:
        """The state, the account and the findings."""
        with VerticalScroll():
            yield Static("", id="state", markup=False)
            yield Static("", id="account", markup=False)
            yield Static("", id="findings", markup=False)

    def on_mount(self) -> None:
        """Look at everything."""
        self.query_one(VerticalScroll).focus()
        self.action_look()

    def on_heard(self, heard: Heard) -> None:
        """Show the state as it is now."""
        if isinstance(heard.told, StatusChanged):
            self._show_state(heard.told.status)

    @work(exclusive=True)
    async def action_look(self) -> None:
        """Ask for the state, the account and the findings."""
        device = self.api.device
        with self.doing("Looking at the account, the services and the clocks"):
            self._show_state(await device.status())
            self.query_one("#account", Static).update(_account(await device.account()))
            self.query_one("#findings", Static).update(_findings(await device.doctor()))

    @work(exclusive=True)
    async def action_sync(self) -> None:
        """Read and post whatever there is, now."""
        with self.doing("Reading what is new, sending what waits", "Up to date."):
            self._show_state(await self.api.device.sync())

    def _show_state(self, status: StatusView) -> None:
        self.query_one("#state", Static).update(_state(status))


def _state(status: StatusView) -> Content:
    since = f" since {day_and_time(status.since)}" if status.since else ""
    lines = [Content.assemble(("✓ ", "$text-success"), "Online") if status.online else _bad(f"Offline{since}")]
    if status.revoked:
        lines.append(_bad(f"{OWN_REVOKED} {hint_inside(CertificateRevokedError.hint)}"))
    if status.trouble:
        lines.append(_bad(f"{status.trouble}. {hint_inside(status.trouble_hint)}".strip()))
    if status.doing:
        lines.append(Content(f"- {status.doing}"))
    lines.append(
        Content(
            f"{counted(status.waiting, 'message')} waiting to be sent, {status.unread} unread, "
            f"{counted(status.requests, 'request')}, {status.quarantined} in quarantine"
            + (f", {counted(status.held, 'chat')} held back by a rule" if status.held else "")
            + (f", {counted(status.transfers, 'file')} on the way (/transfers)" if status.transfers else "")
        )
    )
    return Content("\n").join(lines)


def _account(account: AccountView) -> Content:
    rows = (
        ("Number", shown_number(account.number)),
        ("Certificate", f"ends {day_and_time(account.certificate_ends)}; renews itself while Ringtrue runs"),
        ("Authority", account.authority),
        ("Delivery", account.delivery),
        ("Roots", account.anchors),
        ("Folder", account.home),
    )
    return Content("\n").join([Content.assemble((f"{title:<15}", "$text-muted"), value) for title, value in rows])


def _findings(findings: list[FindingView]) -> Content:
    return Content("\n").join(
        [
            Content.assemble(("✓ ", "$text-success"), (f"{each.subject:<12} ", "$text-muted"), each.words)
            if each.right
            else Content.assemble(("✗ ", "bold $text-error"), (f"{each.subject:<12} ", "bold"), each.words)
            for each in findings
        ]
    )


def _bad(words: str) -> Content:
    return Content.assemble((f"✗ {words}", "$text-error"))
