"""Whom this account believes: its roots, what is pinned below them, and the policy; changed on the command line."""

from collections.abc import Iterator

from textual import work
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.credentials.trust_words import trust_words
from client.tui.screens.reader import Reader
from client.tui.screens.sheet import Sheet

CHANGED_BY = "Roots, pins and the policy are changed on the command line: ringtrue trust"


class TrustScreen(Sheet[None]):
    """Lists; a root is looked at by its fingerprint, and imported from a file."""

    HEADING = "Whose certificates count"

    def body(self) -> Iterator[Widget]:
        with Reader():
            yield Static("", id="trust", markup=False)

    def on_mount(self) -> None:
        """Read."""
        self.query_one(Reader).focus()
        self.show_trust()

    @work(exclusive=True)
    async def show_trust(self) -> None:
        """Read what the account has."""
        with self.doing("Reading"):
            found = await self.api.trust.show()
            self.query_one("#trust", Static).update(Content(f"{trust_words(found)}\n\n{CHANGED_BY}"))
