"""What a conversation pane shows and keeps: the chat's heading, its messages, what was typed and how far was read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar, Protocol, cast

from rich.cells import cell_len
from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.events import Click, DescendantFocus, Show
from textual.widget import Widget
from textual.widgets import Static, TextArea

from client.desk.api import Api
from client.desk.told import ChatChanged, MessageArrived, MessageChanged, StatusChanged, Told, TroubleTold
from client.desk.views import ChatView
from client.terminal.ending_words import closed_words
from client.tui.chat_heading import facts, placeholder
from client.tui.composer import Choices, Composer, Person
from client.tui.heard import Heard
from client.tui.message_body import Looker
from client.tui.message_log import MessageLog
from client.tui.screens.sheet import OpenAccount

DRAFT_SECONDS = 0.6  # after the last key, a draft is kept
READ_SECONDS = 0.3  # that a row is in view before it counts as read
TICK_SECONDS = 30  # between two looks at what disappears


class Surroundings(OpenAccount, Protocol):
    """What the pane needs of the app: an open account, the settings and a clock."""

    def now(self) -> datetime: ...


class ConversationView(Widget):
    """One chat on the screen; `client.tui.conversation` adds what a person does in it."""

    DEFAULT_CSS: ClassVar[str] = """
    ConversationView {
        layout: vertical;
        height: 1fr;
        width: 1fr;
        & > Static { height: auto; padding: 0 1; }
        & > #name { text-style: bold; }
        & > #facts { color: $text-muted; border-bottom: solid $foreground 20%; }
        & > #newer { color: $text-accent; text-style: bold; display: none; }
        & > #said { color: $text-muted; display: none; }
        & > #said.-failed { color: $text-error; }
        & > #errand { color: $text-accent; display: none; }
        & > #newer.-on, & > #said.-on, & > #errand.-on { display: block; }
    }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.chat: ChatView | None = None
        self.writing_anew = False  # an older message is in the composer, which is no draft
        self.looker = Looker(own="", now=datetime.now(UTC))
        self._kept_draft = self._typed_draft = ""
        self._draft_due = self._read_due = False
        self._read_to = 0
        # Held, not looked up: what was begun before the pane closed may end when its parts have left the screen.
        self._choices = Choices(id="choices")
        self.composer = Composer(self._choices, id="composer")
        self.messages = MessageLog(id="messages")

    def compose(self) -> ComposeResult:
        """Heading, messages, what is going on, composer."""
        yield Static("", id="name", markup=False)
        yield Static("", id="facts", markup=False)
        yield self.messages
        yield Static("", id="newer", markup=False)
        yield Static("", id="said", markup=False)
        yield Static("", id="errand", markup=False)
        yield self._choices
        yield self.composer

    def on_mount(self) -> None:
        """Keep what depends on the time up to date."""
        self.set_interval(TICK_SECONDS, self._tick)
        self.watch(self.app, "app_focus", self.look_soon, init=False)

    @property
    def surroundings(self) -> Surroundings:
        """The app, as far as the pane knows it."""
        return cast(Surroundings, self.app)

    @property
    def api(self) -> Api:
        """The open account."""
        return self.surroundings.api

    async def show(self, chat: ChatView, row: int | None = None) -> None:
        """Open a chat where its unread messages begin, or at one row; its draft comes with it."""
        if self.chat is None or self.chat.group != chat.group:
            self._keep_draft()
            self.leave_chat()
            self.chat, self._kept_draft, self._typed_draft = chat, chat.draft, ""
            self.composer.begin(chat.draft)
        self.chat = chat
        self._read_to = 0
        self.show_chat()
        self.say("")
        with self.doing():
            await self._open(chat, row)
        self._learn_people(chat)

    async def hear(self, told: Told) -> None:
        """Take in what the account tells, as far as it concerns the chat in view."""
        group = None if self.chat is None else self.chat.group
        self._set_looker(replace(self.looker, now=self.surroundings.now()))
        match told:
            case MessageArrived(message=message) if message.group == group:
                self.messages.arrived(message)
            case MessageChanged(message=message, gone=gone) if message.group == group:
                self.messages.changed(message, gone)
            case ChatChanged(chat=chat) if chat.group == group:
                self.chat = chat
                if (
                    self._typed_draft
                ):  # another window's draft may have taken its place; what is in the composer is last
                    self._kept_draft = chat.draft
                self.show_chat()
            case TroubleTold(words=words, hint=hint, group=about) if about is not None and about == group:
                from client.failures import hint_inside  # loads cryptography, which the first frame does without

                self.say(f"{words}. {hint_inside(hint)}" if hint else words, failed=True)
            case StatusChanged(status=status) if status.online != self.looker.online:
                self.look(replace(self.looker, online=status.online))

    def leave_chat(self) -> None:
        """Forget what was begun in the chat that was in view."""
        self.writing_anew = False

    def say(self, words: str, *, failed: bool = False) -> None:
        """Tell in one line what is going on or went wrong, or nothing."""
        self.put_line("#said", f"✗ {words}" if failed and words else words)
        self.query_one("#said").set_class(failed, "-failed")

    def put_line(self, place: str, words: str) -> None:
        """Write one of the lines between messages and composer; without words it is not there."""
        self._write(place, words).set_class(bool(words), "-on")

    @contextmanager
    def doing(self, words: str = "", done: str = "") -> Iterator[None]:
        """Say what is being done while it is, then `done`, or what went wrong and what to do about it."""
        from client.failures import EXPECTED  # loads cryptography, which the first frame does without

        if words:
            self.say(words)
        try:
            yield
        except EXPECTED as error:
            from client.tui.screens.phrases import trouble

            self.say(trouble(error), failed=True)
        else:
            if words or done:
                self.say(done)

    def look(self, looker: Looker) -> None:
        """Draw everything as it looks from now on."""
        self._set_looker(looker)
        self.messages.look(looker)

    def _set_looker(self, looker: Looker) -> None:
        """Draw what comes next as it looks from now on."""
        self.looker = self.messages.looker = looker

    def show_chat(self) -> None:
        """Draw the heading, and close the composer where nothing can be sent."""
        if self.chat is None:
            return
        self._write("#name", self.chat.chat)
        self._write("#facts", facts(self.chat))
        self.composer.close(closed_words(self.chat))
        self.composer.placeholder = Content(placeholder(self.chat))

    def _write(self, place: str, words: str) -> Static:
        """Write one of the lines; the screen is laid out again only if the line may take another number of rows."""
        line = self.query_one(place, Static)
        if (before := str(line.content)) != words:
            one_row = all(0 < cell_len(each) <= line.content_size.width for each in (before, words))
            line.update(Content(words), layout=not one_row)
        return line

    async def _open(self, chat: ChatView, row: int | None) -> None:
        if not self.looker.own:
            self.looker = replace(self.looker, own=(await self.api.device.account()).number)
        in_words = self.surroundings.config.emoji == "text"
        self.looker = replace(self.looker, now=self.surroundings.now(), emoji_in_words=in_words)
        unread = await self.api.messages.first_unread(chat.group) if chat.unread and row is None else None
        await self.messages.open(self.api.messages, chat.group, self.looker, unread)
        if row is not None:
            await self.messages.jump(row)
            self.messages.focus()

    @work(exclusive=True, group="people")
    async def _learn_people(self, chat: ChatView) -> None:
        """Read who can be mentioned, and by which names they are known here."""
        with self.doing():
            contacts = await self.api.people.contacts()
            # Of a chat that has ended for this device nobody can say who is in it.
            members = await self.api.chats.members(chat.group) if chat.standing == "active" else []
            names = {contact.number: contact.name for contact in contacts if contact.name}
            others = {member.number: member.name for member in members if not member.you}
            self.composer.people = [Person(number, names.get(number, name)) for number, name in others.items()]
            if names != dict(self.looker.names):
                self.look(replace(self.looker, names=names))

    def _tick(self) -> None:
        self.look_soon()
        if self.messages.has_disappearing():
            self.look(replace(self.looker, now=self.surroundings.now()))

    @on(Heard)
    async def _heard(self, event: Heard) -> None:
        await self.hear(event.told)

    # --- drafts

    @on(TextArea.Changed)
    def _typed(self) -> None:
        if not self._draft_due:
            self._draft_due = True
            self.set_timer(DRAFT_SECONDS, self._keep_draft)

    def _keep_draft(self) -> None:
        """Keep what was typed; what was put in to be edited is no draft."""
        self._draft_due = False
        text = self.composer.text
        if self.chat is not None and not self.writing_anew and text != self._kept_draft:
            self._kept_draft = self._typed_draft = text
            self._write_draft(self.chat.group, text)

    @work(group="draft")
    async def _write_draft(self, group: str, text: str) -> None:
        with self.doing():
            await self.api.chats.draft(group, text)

    # --- reading

    @on(MessageLog.Looked)
    def _looked(self) -> None:
        newer = self.messages.newer
        self.put_line("#newer", f"▼ {newer} new message{'s' * (newer != 1)} below (End)" if newer else "")
        self.look_soon()

    @on(Show)
    @on(DescendantFocus)
    def look_soon(self) -> None:
        """Note soon what is in view: what hid it, or kept the person away, may be gone."""
        if not self._read_due:
            self._read_due = True
            self.set_timer(READ_SECONDS, self._note_read)

    async def _note_read(self) -> None:
        """What is in view, in a window that a person has before them, counts as read."""
        self._read_due = False
        seen = self.messages.last_seen
        watched = self.app.is_running and self.screen.is_current and self.app.app_focus and self.is_on_screen
        if self.chat is not None and seen is not None and seen > self._read_to and watched:
            self._read_to = seen
            with self.doing():
                await self.api.chats.read(self.chat.group, seen)

    @on(Click, "#newer")
    async def _go_to_newest(self) -> None:
        await self.messages.end()
