"""The main screen: the chats on the left, one conversation on the right; in a narrow window one of them at a time."""

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import OptionList, Static

from client.desk.told import ChatChanged, StatusChanged
from client.desk.views import ChatView, StatusView
from client.tui.chat_list import ChatList
from client.tui.commands import BY_ID, typed
from client.tui.composer import SlashCommand
from client.tui.conversation import ConversationPane
from client.tui.heard import Heard
from client.tui.keymap import ACTIONS
from client.tui.message_log import MessageLog
from client.tui.places import Places
from client.tui.screens.key_line import KeyLine
from client.tui.status_line import StatusLine

if TYPE_CHECKING:
    from client.tui.app import RingtrueApp

WIDE = 100  # columns from which on both panes are shown
TICK = 30  # seconds between looks at what only time changes: how long a certificate lasts
KEYS = {action.id: action.default for action in ACTIONS}
SHOWN = {"help": "Help", "inspect": "Inspect", "requests": "Requests", "check_number": "Check no."}  # at the foot


class MainScreen(Screen[None]):
    """Chats and conversation; `archived`: whether the list shows the archive."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(
                KEYS[name], f"app.command('{name}')", SHOWN.get(name, BY_ID[name].title), show=name in SHOWN, id=name
            )
            for name in KEYS
            if name in BY_ID and (BY_ID[name].needs != "message" or name == "inspect") and name != "quit"
        ),
        Binding("escape", "back", "Chats", show=False, id="cancel"),
        Binding("tab", "app.focus_next", "Next pane", show=False, id="next_pane"),
        Binding("shift+tab", "app.focus_previous", "Previous pane", show=False, id="previous_pane"),
    ]
    HORIZONTAL_BREAKPOINTS = [(0, "-thin"), (60, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - Textual's
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-high")]  # noqa: RUF012 - Textual's
    DEFAULT_CSS = """
    MainScreen {
        & #side { width: 30; height: 1fr; background: $surface; border-right: solid $foreground 10%; }
        & #right { width: 1fr; height: 1fr; }
        & #nothing { display: none; height: 1fr; padding: 1 3; color: $text-muted; }
        & #too-small { display: none; width: 1fr; height: 1fr; content-align: center middle; }
        &.-empty #nothing { display: block; }
        &.-empty #conversation { display: none; }
        &.-narrow #side { width: 1fr; border-right: none; }
        &.-narrow #right { display: none; }
        &.-narrow.-reading #side { display: none; }
        &.-narrow.-reading #right { display: block; }
        &.-thin #body, &.-low #body, &.-thin #foot, &.-low #foot { display: none; }
        &.-thin #too-small, &.-low #too-small { display: block; }
        & #foot { height: auto; dock: bottom; }
        & KeyLine { dock: none; height: 1; }
    }
    """

    def __init__(self) -> None:
        super().__init__(classes="-empty")
        self.archived = False
        self.chat: ChatView | None = None
        self._reading = False

    def compose(self) -> ComposeResult:
        """The two panes, and at the foot how things stand and what keys do."""
        yield Static("Make the window larger (60 columns, 16 rows), or use: ringtrue --plain", id="too-small")
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield ChatList(id="chats")
                yield Places(id="places")
            with Vertical(id="right"):
                yield Static(_FIRST_STEPS, id="nothing", markup=False)
                yield ConversationPane(id="conversation")
        with Vertical(id="foot"):
            yield StatusLine(id="status")
            yield KeyLine(in_one_row=True)

    @property
    def owner(self) -> "RingtrueApp":
        """The app."""
        return cast("RingtrueApp", self.app)

    @property
    def chat_list(self) -> ChatList:
        """The list."""
        return self.query_one(ChatList)

    @property
    def conversation(self) -> ConversationPane:
        """The conversation in view."""
        return self.query_one(ConversationPane)

    @property
    def status_line(self) -> StatusLine:
        """The line at the foot."""
        return self.query_one(StatusLine)

    @property
    def in_view(self) -> str | None:
        """The group that a person is looking at now, if this screen is in front."""
        seen = self.is_current and (self.has_class("-wide") or self._reading)
        return self.chat.group if self.chat is not None and seen else None

    def on_mount(self) -> None:
        """Read the list and how things stand."""
        self.hide_names(self.owner.incognito)
        self._tick()
        self.set_interval(TICK, self._tick)
        self.chat_list.focus()
        self._load()

    async def show_archived(self, archived: bool) -> None:
        """Show the archive in the list, or the inbox again."""
        self.archived = archived
        self.query_one(Places).archived = archived
        self.chat_list.show(await self.owner.api.chats.all(archived))
        self.chat_list.focus()

    async def open_chat(self, chat: ChatView, row: int | None = None) -> None:
        """Show a conversation, at its first unread row or at `row`."""
        was_hidden = not self.conversation.composer.is_on_screen
        self.chat = chat
        self.remove_class("-empty")
        self._read(True)
        self.chat_list.cursor = self.chat_list.opened = chat.group
        self.owner.entitle()
        if row is None:  # before its messages are read: who sees the composer writes, and no letter may be a command
            self.conversation.focus_composer()
            if was_hidden:  # it takes the focus only once it is laid out
                self.call_after_refresh(self.conversation.focus_composer)
        await self.conversation.show(chat, row)

    def on_resize(self) -> None:
        """Show one pane or both."""
        self._read(self._reading)
        self.call_after_refresh(self._focus_what_is_shown)

    def _compositor_refresh(self) -> None:
        # After a batch, Textual 8.2.8 forgets what became dirty since the layout (MessageWindow._lay_out) undrawn.
        self._compositor.update_widgets(self._dirty_widgets)
        super()._compositor_refresh()

    def on_screen_resume(self) -> None:
        """A person sees this screen again."""
        self.look_again()
        self.call_after_refresh(self._focus_what_is_shown)

    def look_again(self) -> None:
        """Let what is in view count as read, which it did not while something lay over it."""
        if self.chat is not None:
            self.conversation.messages.post_message(MessageLog.Looked())

    def hide_names(self, hidden: bool) -> None:
        """Begin or end incognito."""
        self.chat_list.discreet = hidden
        self.status_line.incognito = hidden

    def action_back(self) -> None:
        """In a narrow window, from the conversation back to the list; else to the list's keys."""
        self._read(False)
        self.chat_list.focus()

    @on(Heard)
    def _heard(self, event: Heard) -> None:
        told = event.told
        if isinstance(told, ChatChanged):
            self._chat_changed(told.chat)
        elif isinstance(told, StatusChanged):
            self._show_status(told.status)
        self.conversation.post_message(Heard(told))

    @on(SlashCommand)
    def _slash_typed(self, event: SlashCommand) -> None:
        line = typed(event.text)
        if line.command is not None:
            self.owner.run_command(line.command, line.text)

    @on(ChatList.Chosen)
    def _chosen(self, event: ChatList.Chosen) -> None:
        self.owner.show_chat(event.chat)

    @on(OptionList.OptionSelected, "#places")
    def _place_chosen(self, event: OptionList.OptionSelected) -> None:
        self.owner.run_command(BY_ID[str(event.option_id)])

    @work(exclusive=True, group="list")
    async def _load(self) -> None:
        with self.owner.telling_trouble():
            account = await self.owner.api.device.account()
            status = await self.owner.api.device.status()
            chats = await self.owner.api.chats.all()  # the last: what is told from here on changes it
            self.chat_list.own = account.number
            self.status_line.account = account
            self.chat_list.show(chats)
            self._show_status(status)

    def _read(self, reading: bool) -> None:
        """Have the conversation before a person, or the list; a wide window shows both, and is not styled anew."""
        self._reading = reading
        if self.app.size.width < WIDE:  # else it stays as it was: taken away first, it would hide what has the focus
            self.set_class(reading, "-reading")

    def _focus_what_is_shown(self) -> None:
        """Let no key act on a pane that a narrower window hides."""
        if self.focused is not None and self.focused in self.focus_chain:
            return
        if self._reading:
            self.conversation.focus_composer()
        else:
            self.chat_list.focus()

    def _chat_changed(self, chat: ChatView) -> None:
        if self.chat is not None and self.chat.group == chat.group:
            moved = bool(chat.successor) and not self.chat.successor
            self.chat = chat
            if moved:
                self._follow(chat)
        if chat.place == "inbox" and chat.archived == self.archived:
            self.chat_list.update_chat(chat)
        else:
            self.chat_list.drop_chat(chat.group)
        self.owner.entitle()

    @work(exclusive=True, group="follow")
    async def _follow(self, chat: ChatView) -> None:
        """Take along who is reading, with what they were writing, and say so."""
        with self.owner.telling_trouble():
            new = await self.owner.api.chats.get(chat.successor)
            written = self.conversation.composer.text
            await self.open_chat(new)
            if written and not self.conversation.composer.text:
                self.conversation.composer.begin(written)
            self.conversation.say("The chat that you were in was begun anew. It goes on here; its history stays there.")

    def _show_status(self, status: StatusView) -> None:
        self.status_line.status = status
        self.query_one(Places).requests = status.requests
        self.query_one(Places).quarantined = status.quarantined
        self.owner.entitle()

    def _tick(self) -> None:
        self.status_line.now = self.chat_list.now = self.owner.now()


_FIRST_STEPS = """\
No conversation is open.

Ctrl+N   write to somebody, or start a group
F3       see who wants to talk to you
Ctrl+P   every command, and chats by name
F1       help and keys

Your own number, to give to others:  Ctrl+P, then "My number".
"""
