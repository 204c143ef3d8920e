"""A new chat: with one person by number, address or short code, or a group of several with a name."""

import re
from collections.abc import Iterator
from functools import partial

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from client.defence.new_keys import with_new_keys
from client.desk.views import ChatView
from client.errors import InviteError
from client.invite import parse_invite
from client.tui.screens.ask import about_new_key
from client.tui.screens.sheet import Sheet
from client.tui.screens.toggles import Switch
from identity.number import TelephoneNumber

LABEL = "Who? A number with + and country code, a ringtrue: address, or a short code; several with commas."

NOT_YET = "? This is no number, address or code yet."


class NewChatScreen(Sheet[ChatView | None]):
    """It says back whom it would write to before anything is created, and answers with the new chat."""

    HEADING = "New chat"
    DEFAULT_CSS = """
    NewChatScreen .frame {
        max-width: 80;
        height: auto;
        max-height: 100%;
    }
    NewChatScreen Vertical {
        height: auto;
    }
    NewChatScreen #group {
        display: none;
        margin-top: 1;
    }
    NewChatScreen #group.-several {
        display: block;
    }
    NewChatScreen #whom {
        margin: 1 0;
    }
    NewChatScreen .buttons {
        height: auto;
        align-horizontal: right;
    }
    NewChatScreen Button {
        margin-left: 2;
    }
    """

    def __init__(self, numbers: str = "") -> None:
        super().__init__()
        self._numbers = numbers

    def body(self) -> Iterator[Widget]:
        yield Static(Content(LABEL))
        yield Input(self._numbers, id="numbers", placeholder="+1 202-555-0142")
        yield Group(id="group")
        yield Static("", id="whom", markup=False)
        with Horizontal(classes="buttons"):
            yield Button(Content("Cancel"), id="no")
            yield Button(Content("Create"), id="yes", variant="primary", disabled=True)

    def on_mount(self) -> None:
        """Begin in the field."""
        for field in self.query(Input):
            field.cursor_blink = False
        self.query_one("#numbers").focus()
        self._say_back()

    @on(Input.Changed)
    def _say_back(self) -> None:
        self.say("")
        try:
            numbers = self._read()
        except InviteError:
            self._tell(Content.assemble((NOT_YET, "$text-warning")), several=False, ready=False)
            return
        several = len(numbers) > 1
        named = bool(self.query_one("#name", Input).value.strip())
        whom = ", ".join(map(str, numbers))
        if not numbers:
            self._tell(Content(""), several=False, ready=False)
        elif several and not named:
            self._tell(Content(f"A group with {whom}. Give it a name."), several=True, ready=False)
        else:
            kind = "A group with" if several else "A chat with"
            self._tell(Content(f"▸ {kind} {whom}"), several=several, ready=True)

    def _tell(self, words: Content, *, several: bool, ready: bool) -> None:
        self.query_one("#whom", Static).update(words)
        self.query_one("#group").set_class(several, "-several")
        self.query_one("#yes", Button).disabled = not ready

    def _read(self) -> list[TelephoneNumber]:
        typed = re.split(r"[,;\n]", self.query_one("#numbers", Input).value)
        return list(dict.fromkeys(parse_invite(part) for part in typed if part.strip()))

    @on(Button.Pressed, "#no")
    def _cancelled(self) -> None:
        self.action_leave()

    @on(Button.Pressed, "#yes")
    @on(Input.Submitted)
    def _submitted(self) -> None:
        """Say what is wrong with what was typed; create only what was read back."""
        with self.doing(""):
            self._read()
            if not self.query_one("#yes", Button).disabled:
                self._create()

    @work(exclusive=True)
    async def _create(self) -> None:
        with self.doing("Asking for their keys and creating the chat"):
            numbers = [number.e164 for number in self._read()]
            if len(numbers) == 1:
                chat = await with_new_keys(
                    lambda new_keys: self.api.chats.direct(numbers[0], new_keys), partial(about_new_key, self)
                )
            else:
                name = self.query_one("#name", Input).value.strip()
                roles = self.query_one("#roles", Switch).value
                chat = await with_new_keys(
                    lambda new_keys: self.api.chats.create(name, numbers, roles, new_keys), partial(about_new_key, self)
                )
            self.dismiss(chat)


class Group(Vertical):
    """What only a group needs."""

    def compose(self) -> ComposeResult:
        """A name and whether there are roles."""
        yield Static(Content("Name of the group, shown to everybody in it:"))
        yield Input(id="name", max_length=64)
        yield Switch("You are its admin: only admins invite and remove", value=True, id="roles")
