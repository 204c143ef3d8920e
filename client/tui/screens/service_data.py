"""What the delivery service keeps for this account, and having it deleted."""

from collections.abc import Iterator
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.records.service_facts import kept_for
from client.terminal.ending_words import DATA_WORDS, NUMBER_WORDS, deleted_lines
from client.tui.screens.ask import Confirm
from client.tui.screens.reader import Reader
from client.tui.screens.sheet import Sheet

LEAD = "The service cannot read your messages. It keeps, and can delete on your word:"


class ServiceDataScreen(Sheet[None]):
    """Says what would be deleted before it asks, and afterwards what was, and what remains."""

    HEADING = "Data at the service"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "delete(False)", "Delete for this device"),
        Binding("n", "delete(True)", "Also for your number"),
    ]

    def body(self) -> Iterator[Widget]:
        """Both kinds, and what was deleted."""
        with Reader():
            yield Static(Content(LEAD), classes="lead")
            yield Static(Content(DATA_WORDS), classes="lead")
            yield Static(Content(NUMBER_WORDS), classes="lead")
            yield Static("", id="kept", classes="lead", markup=False)
            yield Static("", id="deleted", markup=False)

    def on_mount(self) -> None:
        """Say how long messages are kept."""
        self.query_one(Reader).focus()
        self.ask()

    @work
    async def ask(self) -> None:
        """Ask this device what it knows of the service."""
        with self.doing():
            retention = (await self.api.device.status()).retention
            self.query_one("#kept", Static).update(Content(kept_for(retention) if retention else ""))

    @work(exclusive=True)
    async def action_delete(self, number: bool) -> None:
        """Delete, after a question; with `number` also what is kept for it."""
        title = "Delete what is kept for this device and your number?" if number else "Delete what is kept for it?"
        words = f"{DATA_WORDS} {NUMBER_WORDS}" if number else DATA_WORDS
        if await self.app.push_screen_wait(Confirm(title, words, "Delete")):
            with self.doing("Deleting", "The service has deleted it."):
                deleted = await self.api.device.delete_service_data(number)
                self.query_one("#deleted", Static).update(Content("\n".join(deleted_lines(deleted))))
