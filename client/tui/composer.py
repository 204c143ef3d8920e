"""Where a message is written: Enter sends, Ctrl+J breaks the line, and what can be completed is listed above."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList, TextArea
from textual.widgets.option_list import Option

from client.formats.text import safe_text
from client.tui.chat_lines import spelled

CHOICES_LIMIT = 8
_MENTION = re.compile(r"(?:^|(?<=\s))@(?P<begun>[^\s@]{0,32})$")
_COMMAND = re.compile(r"/(?P<begun>[a-z-]{0,24})$")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be addressed: a number `+E164` and what this account calls it."""

    number: str
    name: str | None


class SlashCommand(Message):
    """A command was typed into the composer, with its slash; the main screen carries it out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


class Choices(OptionList, can_focus=False):
    """What the word under the cursor may become; the composer's keys move in it."""

    DEFAULT_CSS: ClassVar[str] = """
    Choices {
        height: auto;
        max-height: 6;
        border: none;
        padding: 0 1;
        background: $panel;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        display: none;
        &.-open { display: block; }
    }
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._texts: list[str] = []

    @property
    def is_open(self) -> bool:
        """Whether there is something to choose."""
        return bool(self._texts)

    @property
    def chosen(self) -> str:
        """What the word becomes if it is completed now."""
        return self._texts[self.highlighted or 0]

    def offer(self, choices: Sequence[tuple[str, Content]]) -> None:
        """List texts, each with the row that stands for it; an empty list closes."""
        if not choices and not self._texts:
            return
        self._texts = [text for text, _ in choices]
        self.set_options([Option(row) for _, row in choices])
        self.highlighted = 0 if choices else None
        self.set_class(bool(choices), "-open")


class Composer(TextArea, inherit_bindings=False):
    """The text that is being written to a chat. `people`: who can be mentioned."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(each for each in TextArea.BINDINGS if isinstance(each, Binding) and each.key not in ("f6", "f7")),
        Binding("enter", "send", "Send", id="send"),
        Binding("ctrl+j,shift+enter", "newline", "New line", id="newline"),
        Binding("tab", "complete", "Complete", show=False),
        Binding("escape", "close_choices", "Close", show=False),
    ]
    DEFAULT_CSS: ClassVar[str] = """
    Composer {
        height: auto;
        min-height: 3;
        max-height: 10;
        border: round $border-blurred;
        padding: 0 1;
        background: $surface;
        scrollbar-size-vertical: 1;
        &:focus { border: round $border; }
        &.-closed { border: round $text-warning; }
    }
    """

    class Entered(Message):
        """Enter was pressed on this text, which is no longer in the composer."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class EnteredClosed(Message):
        """Enter was pressed where nothing can be sent."""

    class Left(Message):
        """The up arrow was pressed where there is no text."""

    def __init__(self, choices: Choices, id: str | None = None) -> None:
        super().__init__(id=id, soft_wrap=True, highlight_cursor_line=False, show_line_numbers=False)
        self.cursor_blink = False
        self.people: Sequence[Person] = ()
        self._choices = choices
        self._offered_for = ""

    def close(self, why: str) -> None:
        """Let nothing be written, and say why; an empty reason opens it again."""
        self.read_only = bool(why)
        self.set_class(bool(why), "-closed")

    def begin(self, text: str) -> None:
        """Put in a text to go on with."""
        self.load_text(text)
        self.move_cursor(self.document.end)
        self._choices.offer(())

    def give_back(self, text: str) -> None:
        """Put a text back that could not be used, before what was typed since."""
        self.begin("\n".join(filter(None, (text, self.text))))

    async def on_key(self, event: events.Key) -> None:
        """Carry out what a key is bound to here before the next key is looked at.

        A binding is otherwise the app's to run, which other keys of a burst overtake, or which overtakes them.
        """
        if self.read_only and event.character == "/":  # nothing is typed here, and commands are wanted all the same
            event.stop()
            event.prevent_default()
            self.app.action_command_palette()
            return
        bound = None if event.is_printable else self.screen.active_bindings.get(event.key)
        if bound is None or bound.node is not self or not bound.enabled:
            return
        if self._offered_for != self._before_cursor():
            self._offer_choices()  # what is listed is still for the text before the last keys
        if await self.app.run_action(bound.binding.action, self):
            event.stop()
            event.prevent_default()

    def action_send(self) -> None:
        """Send; if a choice is open that is not typed in full yet, complete it instead."""
        if self._choices.is_open and self._begun() != self._choices.chosen:
            self.action_complete()
        elif self.read_only:
            self.post_message(self.EnteredClosed())
        elif self.text.strip():
            self.post_message(self.Entered(safe_text(self.text).text.strip("\n")))
            self.begin("")

    def action_newline(self) -> None:
        """Break the line."""
        if not self.read_only:
            self.insert("\n")

    def action_complete(self) -> None:
        """Put in the choice under the cursor; without one, Tab moves on as everywhere."""
        if not self._choices.is_open:
            raise SkipAction
        row, column = self.cursor_location
        self.replace(f"{self._choices.chosen} ", (row, column - len(self._begun())), (row, column))
        self._choices.offer(())

    def action_close_choices(self) -> None:
        """Close the list of choices; without one, Esc leaves as everywhere."""
        if not self._choices.is_open:
            raise SkipAction
        self._choices.offer(())

    def action_cursor_up(self, select: bool = False) -> None:
        """Move up in the choices or the text; out of an empty text, to the messages."""
        if self._choices.is_open:
            self._choices.action_cursor_up()
        elif not self.text:
            self.post_message(self.Left())
        else:
            super().action_cursor_up(select)

    def action_cursor_down(self, select: bool = False) -> None:
        """Move down in the choices or the text."""
        if self._choices.is_open:
            self._choices.action_cursor_down()
        else:
            super().action_cursor_down(select)

    def on_paste(self, event: events.Paste) -> None:
        """Put in what was pasted, made as harmless as what others send."""
        event.prevent_default()
        event.stop()
        if not self.read_only:
            result = self.replace(safe_text(event.text).text, *self.selection)
            self.move_cursor(result.end_location)

    @on(TextArea.Changed)
    def _offer_choices(self) -> None:
        self._offered_for = self._before_cursor()
        self._choices.offer(list(self._offered())[:CHOICES_LIMIT])

    def on_blur(self) -> None:
        """Close the choices: their keys are not at hand any more."""
        self._choices.offer(())

    def _before_cursor(self) -> str:
        row, column = self.cursor_location
        return self.document.get_line(row)[:column]

    def _begun(self) -> str:
        """The word that a choice replaces."""
        before = self._before_cursor()
        match = _MENTION.search(before) or _COMMAND.match(before)
        return match[0] if match else ""

    def _offered(self) -> Iterable[tuple[str, Content]]:
        before = self._before_cursor()
        if (match := _MENTION.search(before)) is not None:
            yield from self._people_like(match["begun"].casefold())
        elif _COMMAND.match(self.text):
            from client.tui.commands import beginning_with  # loads every screen's words, which writing does without

            for command in beginning_with(self.text):
                usage = f"/{command.slash} {command.argument}".rstrip()
                yield f"/{command.slash}", Content.assemble((f"{usage:<22} ", "bold"), (command.help, "$text-muted"))

    def _people_like(self, begun: str) -> Iterable[tuple[str, Content]]:
        digits = begun.lstrip("+")
        for person in self.people:
            named = (person.name or "").casefold().startswith(begun)
            if not begun or named or (digits.isdecimal() and digits in person.number):
                name = Content.assemble((f"{person.name}  ", "bold")) if person.name else Content("")
                yield f"@{person.number}", name + spelled(person.number)
