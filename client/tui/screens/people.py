"""The people this account knows: contacts and blocked numbers, each with its whole number."""

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from client.defence.new_keys import with_new_keys
from client.desk.people_views import ContactView
from client.invite import parse_invite
from client.tui.screens.ask import Confirm, Prompt, about_new_key
from client.tui.screens.phrases import person, shortened_name
from client.tui.screens.rows import Rows
from client.tui.screens.sheet import Sheet
from client.words.spelling import counted, shown_number
from client.words.wording import BLOCKING_WORDS

NOBODY = "Nobody yet. Press + to add a number, or accept a request (F3)."


class PeopleScreen(Sheet[None]):
    """Contacts, then blocked numbers with what was dropped; a name is this account's own and seen by nobody else."""

    HEADING = "Contacts and blocked numbers"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "message", "Message"),
        Binding("n", "name", "Name"),
        Binding("plus", "know", "Add a contact", key_display="+"),
        Binding("b", "block", "Block"),
        Binding("u", "unblock", "Unblock"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._contacts: dict[str, ContactView] = {}

    def body(self) -> Iterator[Widget]:
        yield Static(Content(NOBODY), id="nobody", classes="lead")
        yield Rows("people")

    def on_mount(self) -> None:
        """Show who there is."""
        self.query_one(Rows).focus()
        self.load("Looking")

    @work(exclusive=True, group="load")
    async def load(self, words: str = "") -> None:
        """Ask for the contacts."""
        with self.doing(words):
            await self._show()

    async def _show(self) -> None:
        everybody = await self.api.people.contacts()
        asked = {each.number: each.words for each in await self.api.people.asked() if each.state != "granted"}
        self._contacts = {contact.number: contact for contact in everybody}
        blocked = [contact for contact in everybody if contact.blocked]
        known = [contact for contact in everybody if contact.accepted and not contact.blocked]
        named = [contact for contact in everybody if not contact.accepted and not contact.blocked]
        rows: list[tuple[str | None, Content]] = []
        for title, people in (("Contacts", known), ("Named, not accepted", named), ("Blocked", blocked)):
            if people:
                rows.append((None, Content(f"{title}: {len(people)}")))
                rows += [(contact.number, _row(contact, asked.get(contact.number, ""))) for contact in people]
        self.query_one("#nobody").display = not rows
        self.query_one(Rows).show(rows)
        self.refresh_bindings()

    @property
    def _chosen(self) -> ContactView | None:
        return self._contacts.get(self.query_one(Rows).chosen or "")

    @on(OptionList.OptionHighlighted)
    def _moved(self) -> None:
        self.refresh_bindings()

    @on(OptionList.OptionSelected)
    def _entered(self) -> None:
        if self.check_action("message", ()):
            self.action_message()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A blocked number can be unblocked and named; the others can be written to, named and blocked."""
        if action not in ("message", "name", "block", "unblock") or not self.is_mounted:
            return True
        contact = self._chosen
        if contact is None:
            return None
        return True if action == "name" or contact.blocked == (action == "unblock") else None

    @work(exclusive=True)
    async def action_message(self) -> None:
        """Open the chat with the person."""
        if (contact := self._chosen) is not None:
            with self.doing("Opening the chat"):
                self.go_to(
                    await with_new_keys(
                        lambda new_keys: self.api.chats.direct(contact.number, new_keys), partial(about_new_key, self)
                    )
                )

    @work(exclusive=True)
    async def action_name(self) -> None:
        """Name a number, or forget its name."""
        if (contact := self._chosen) is None:
            return
        label = f"Your own name for {shown_number(contact.number)}; nobody else sees it. Empty: no name."
        name = await self.app.push_screen_wait(Prompt("Name", label, contact.name or ""))
        if name is not None:
            with self.doing("Naming"):
                named = await self.api.people.name(contact.number, name)
                await self._show()
                self.say(shortened_name(name, named.name))

    @work(exclusive=True)
    async def action_know(self) -> None:
        """Make a number a contact, so that its requests are accepted at once."""
        label = "Number (with + and country code), ringtrue: address or short code:"
        typed = await self.app.push_screen_wait(Prompt("Add a contact", label))
        if typed:
            with self.doing("Adding"):
                number = parse_invite(typed)
                await self.api.people.know(number.e164)
                await self._show()
                self.say(f"{number} is a contact: its requests are accepted at once.")

    @work(exclusive=True)
    async def action_block(self) -> None:
        """Hear nothing more from a number."""
        if (contact := self._chosen) is None:
            return
        words = f"{person(contact.number, contact.name)}: {BLOCKING_WORDS}"
        if await self.app.push_screen_wait(Confirm("Block?", words, "Block")):
            with self.doing("Blocking"):
                await self.api.people.block(contact.number)
                await self._show()

    @work(exclusive=True)
    async def action_unblock(self) -> None:
        """Treat a number as a stranger again."""
        if (contact := self._chosen) is not None:
            done = f"{shown_number(contact.number)} is a stranger again: what they write comes as a request."
            with self.doing("Unblocking", done):
                await self.api.people.unblock(contact.number)
                await self._show()


def _row(contact: ContactView, asked: str) -> Content:
    name = f"  {contact.name}" if contact.name else ""
    dropped = f"\n  {counted(contact.dropped, 'message or request', 'messages and requests')} dropped"
    sign = ("⊘ ", "$text-error") if contact.blocked else ("  ", "")
    told = f"\n  ? {asked}" if asked else ""
    number = (shown_number(contact.number), "bold")
    return Content.assemble(sign, number, name, dropped if contact.dropped else "", told)
