"""The conversation pane: what a person does in a chat, by keys, by commands and in the composer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual import on, work
from textual.actions import SkipAction
from textual.binding import Binding, BindingType

from client.desk.views import MessageView
from client.tui.chat_lines import fitted, spelled
from client.tui.commands import UnknownCommandError, typed
from client.tui.composer import Composer, SlashCommand
from client.tui.conversation_view import ConversationView
from client.tui.message_body import body
from client.tui.message_log import MessageLog
from client.tui.message_view import is_changeable

QUOTE_CELLS = 40


@dataclass(frozen=True, slots=True)
class Errand:
    """What the text in the composer is for, if it is no new message; `aside`: what was being written before."""

    does: Literal["reply", "edit"]
    message: MessageView
    aside: str


def _key(keys: str, name: str, words: str, *, show: bool = False) -> Binding:
    return Binding(keys, f"on_message('{name}')", words, show=show, id=name)


class ConversationPane(ConversationView):
    """One chat. Commands act on the selected message, and say in the pane why where they cannot."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Leave", show=False, id="cancel"),
        _key("f2,i,enter", "inspect", "Inspect", show=True),
        _key("r", "reply", "Reply", show=True),
        _key("plus", "react", "React", show=True),
        _key("e", "edit", "Edit", show=True),
        _key("delete,d", "delete", "Take back", show=True),
        _key("R", "retry", "Send again"),
        _key("exclamation_mark", "report", "Report"),
        _key("ctrl+o,c", "copy", "Copy", show=True),
        _key("o", "open_attachment", "Open"),
        _key("v", "jump_to_quoted", "Quoted"),
        _key("b", "jump_back", "Back"),
        Binding("f8", "attach", "Attach a file", show=False, id="attach"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._errand: Errand | None = None
        self._jumps: list[int] = []

    @property
    def selected(self) -> MessageView | None:
        """The message that commands act on."""
        return self.messages.selected_message

    def focus_composer(self) -> None:
        """Go where one writes."""
        self.composer.focus()

    def leave_chat(self) -> None:
        """Forget what was begun in the chat that was in view."""
        super().leave_chat()
        self._errand = None
        self._jumps.clear()
        self.put_line("#errand", "")

    # --- commands

    def reply(self) -> None:
        """Answer the selected message; one's own that failed is sent again instead."""
        message = self._chosen()
        if message is None:
            return
        if message.state == "failed":
            self.retry()
        elif message.kind in ("notice", "gap") or message.withdrawn or message.place != "inbox":
            self.say("There is nothing to answer in this row.")
        else:
            self._begin(Errand("reply", message, self._aside()))

    def react(self, emoji: str = "") -> None:
        """Add an emoji to the selected message, or take it back; without one, ask which."""
        if (message := self._chosen()) is not None:
            self._react(message, emoji)

    def edit(self) -> None:
        """Write one's own message anew."""
        if (message := self._own()) is not None:
            self._begin(Errand("edit", message, self._aside()))
            self.writing_anew = True
            self.composer.begin(message.text)

    def delete(self) -> None:
        """Take one's own message back, after a question."""
        if (message := self._own()) is not None:
            self._delete(message)

    def retry(self) -> None:
        """Send a message again that could not be sent."""
        message = self._chosen()
        if message is not None and message.state != "failed":
            self.say("This message did not fail.")
        elif message is not None:
            self._retry(message)

    def copy(self) -> None:
        """Put the selected message's text on the clipboard."""
        message = self._chosen()
        if message is not None and not message.text:
            self.say("There is no text to copy in this row.")
        elif message is not None:
            self.app.copy_to_clipboard(message.text)

    def attach(self, path: str | None = None) -> None:
        """Send a file; without a path, ask which."""
        if self.chat is None or self.chat.standing != "active":
            self.say("There is no open chat that a file could be sent to.")
        else:
            self._send_file(self.chat.group, path)

    def open_attachment(self) -> None:
        """Fetch the selected message's file: a picture is shown, anything else is saved."""
        message = self._with_attachment()
        if message is not None and message.attachment is not None and message.attachment.is_image:
            from client.tui.screens.picture import PictureScreen

            self.app.push_screen(PictureScreen(message))
        else:
            self.save_attachment()

    def save_attachment(self) -> None:
        """Fetch the selected message's file and save it under a harmless name."""
        if (message := self._with_attachment()) is not None:
            self._save(message)

    def jump_to_quoted(self) -> None:
        """Go to the message that the selected one answers."""
        message = self._chosen()
        if message is None:
            return
        if message.reply is None or message.reply.row is None:
            self.say("This message answers none that this device has.")
        else:
            self._jumps.append(message.row)
            self._jump(message.reply.row)

    def jump_back(self) -> None:
        """Go back to where the last jump began."""
        if self._jumps:
            self._jump(self._jumps.pop())
        else:
            self.say("There was no jump to go back from.")

    def inspect(self) -> None:
        """Show what was checked about the selected message; without one, about the last."""
        message = self.selected or self.messages.newest_message
        if message is None:
            self.say("There is no message here that could be inspected.")
        else:
            from client.tui.screens.inspector import InspectorScreen

            self.app.push_screen(InspectorScreen(message.row))

    def report(self) -> None:
        """Report the selected message, and perhaps others of the same number that are in view."""
        if (message := self._chosen()) is not None:
            self._report(message)

    @work(exclusive=True, group="report")
    async def _report(self, message: MessageView) -> None:
        from client.tui.screens.report import ReportScreen

        rows = self.messages.reportable(message)
        if message.row not in rows:
            self.say("Only what somebody else's number has signed can be reported.")
        elif (sent := await self.app.push_screen_wait(ReportScreen(rows, [message.row]))) is not None:
            self.say(sent.words)

    # --- keys and mouse

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Letters are commands only where nothing is written, and what only one's own messages allow is not offered."""
        if action != "on_message":
            return True
        barred = parameters[0] in ("edit", "delete") and self.selected is not None and not is_changeable(self.selected)
        return self.messages.has_focus and not barred

    def action_on_message(self, name: str) -> None:
        """Carry out a command on the selected message."""
        command: Callable[[], None] = getattr(self, name)
        command()

    def action_attach(self) -> None:
        """Ask for a file to send."""
        self.attach()

    def action_cancel(self) -> None:
        """Leave what was begun, then the messages; after that the screen's own Esc."""
        if self._errand is not None:
            self._end_errand()
        elif self.messages.has_focus:
            self.messages.deselect()
            self.composer.focus()
        else:
            raise SkipAction

    @on(MessageLog.Opened)
    def _opened(self, event: MessageLog.Opened) -> None:
        if event.inspect:
            self.inspect()
        else:
            self.open_attachment()

    @on(Composer.Left)
    def _left_composer(self) -> None:
        self.messages.select_last()
        self.messages.focus()

    # --- writing

    @on(Composer.Entered)
    def _entered(self, event: Composer.Entered) -> None:
        errand = self._errand
        if errand is not None and errand.does == "edit":
            self._end_errand()
            self._edit(errand.message, event.text)
            return
        try:
            line = typed(event.text)
        except UnknownCommandError as error:
            self.say(f"{error}. {error.hint}", failed=True)
            self.composer.give_back(event.text)
            return
        if line.command is not None:
            self.post_message(SlashCommand(event.text))
        elif self.chat is None:
            self.say("Open a chat in the list first, or begin one with /new.", failed=True)
            self.composer.give_back(event.text)
        else:
            self._end_errand()
            self._send(self.chat.group, line.text, None if errand is None else errand.message)

    @on(Composer.EnteredClosed)
    def _entered_closed(self) -> None:
        if self.chat is not None and self.chat.successor:
            self.post_message(SlashCommand("/successor"))

    @work(group="send")
    async def _send(self, group: str, text: str, answered: MessageView | None) -> None:
        """Hand a text over; it is drawn as it stands then, and anew with everything that is told about it."""
        sent = None
        with self.doing(done=""):
            sent = await self.api.messages.send(group, text, None if answered is None else answered.row)
        if self.chat is None or self.chat.group != group:
            return
        if sent is not None:
            self.messages.arrived(sent)
            await self.messages.end()
        else:
            self.composer.give_back(text)  # nothing that was written is lost

    @work(group="send")
    async def _edit(self, message: MessageView, text: str) -> None:
        with self.doing("changing the message"):
            self.messages.changed(await self.api.messages.edit(message.row, text))

    def _begin(self, errand: Errand) -> None:
        self._errand = errand
        message = errand.message
        if errand.does == "edit":
            words = "Changing your message. Enter sends it anew, Esc leaves it as it was."
        else:
            who = "yourself" if message.kind == "sent" else message.name or spelled(message.sender or "")
            said = body(message.text, self.looker, links=False).plain
            words = f"Replying to {who}, Esc leaves: {fitted(' '.join(said.split()), QUOTE_CELLS).rstrip()}"
        self.put_line("#errand", words)
        self.say("")
        self.composer.focus()

    def _end_errand(self) -> None:
        """Take down the bar; what was being written before an edit comes back."""
        errand, self._errand = self._errand, None
        self.put_line("#errand", "")
        if errand is not None and errand.does == "edit":
            self.composer.begin(errand.aside)
        self.writing_anew = False

    def _aside(self) -> str:
        if self._errand is not None and self._errand.does == "edit":
            return self._errand.aside
        return self.composer.text

    # --- what takes time

    @work(group="deed")
    async def _react(self, message: MessageView, emoji: str) -> None:
        from client.tui.screens.react import ReactScreen

        chosen: str | None = emoji or await self.app.push_screen_wait(ReactScreen())
        if chosen:
            with self.doing("reacting"):
                self.messages.changed(await self.api.messages.react(message.row, chosen))

    @work(group="deed")
    async def _delete(self, message: MessageView) -> None:
        from client.tui.screens.ask import Confirm

        words = "It is taken out of everybody's view. Whoever has read it may remember or have copied it."
        if await self.app.push_screen_wait(Confirm("Take this message back?", words, "Take it back")):
            with self.doing("taking the message back"):
                self.messages.changed(await self.api.messages.delete(message.row))

    @work(group="deed")
    async def _retry(self, message: MessageView) -> None:
        with self.doing("sending again"):
            self.messages.changed(await self.api.messages.retry(message.row))

    @work(group="deed")
    async def _send_file(self, group: str, path: str | None) -> None:
        caption = ""
        if path is None:
            from client.tui.attach import AttachScreen

            chosen = await self.app.push_screen_wait(AttachScreen(Path.home()))
            if chosen is None:
                return
            path, caption = chosen
        with self.doing("encrypting and storing the file"):
            sent = await self.api.messages.send_file(group, path, caption)
            if self.chat is not None and self.chat.group == group:
                self.messages.arrived(sent)
                await self.messages.end()

    @work(group="deed")
    async def _save(self, message: MessageView) -> None:
        folder = str(self.surroundings.config.download_folder)
        with self.doing("fetching the file"):
            path = await self.api.messages.save(message.row, folder)
            self.notify(f"Saved as {path}", markup=False)

    @work(group="jump", exclusive=True)
    async def _jump(self, row: int) -> None:
        with self.doing():
            await self.messages.jump(row)
            self.messages.focus()

    # --- what commands act on

    def _chosen(self) -> MessageView | None:
        if self.selected is None:
            self.say("Select a message first: press the up arrow in the empty composer.")
        return self.selected

    def _own(self) -> MessageView | None:
        message = self._chosen()
        if message is None or is_changeable(message):
            return message
        self.say("Only messages of your own can be changed or taken back.")
        return None

    def _with_attachment(self) -> MessageView | None:
        message = self._chosen()
        if message is None or (message.attachment is not None and message.place == "inbox" and not message.withdrawn):
            return message
        self.say("This message has no file.")
        return None
