"""Admission rules: the list in words with what each has hidden, a trial of a file of rules, and using it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from client.defence.rule_words import (
    RESET,
    SAVED,
    change_words,
    count_words,
    in_force_words,
    move_words,
    tried_words,
)
from client.defence.rules import read_toml
from client.desk.rule_views import CountView, RulesView, RuleView, TrialView
from client.tui.screens.ask import Confirm, Prompt
from client.tui.screens.reader import Reader, heading
from client.tui.screens.rows import Rows
from client.tui.screens.sheet import Sheet

MOVES_ASKED = 5  # lines in the question whether to use rules


class RulesScreen(Sheet[None]):
    """The rules in their order; the first one that applies decides."""

    HEADING = "Rules: where chats and messages of others go"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "test", "Try a file of rules"),
        Binding("u", "use", "Use a file of rules"),
        Binding("x", "reset", "The program's own again"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._in_force: RulesView | None = None
        self._file = ""

    def body(self) -> Iterator[Widget]:
        yield Static("", id="whose", classes="lead", markup=False)
        yield Rows("rules")

    def on_mount(self) -> None:
        """Show the rules."""
        self.query_one(Rows).focus()
        self.load()

    @work(exclusive=True, group="load")
    async def load(self) -> None:
        """Ask for the rules and for what they have hidden."""
        with self.doing("Looking"):
            await self._show()

    async def _show(self) -> None:
        self._in_force = await self.api.admission.rules()
        names = {rule.name for rule in self._in_force.rules}
        others = [count for count in await self.api.admission.counts() if count.rule not in names]
        self.query_one("#whose", Static).update(
            Content(f"{in_force_words(self._in_force)} The first that applies decides.")
        )
        self.query_one(Rows).show([*_rows(self._in_force.rules), *_other_rows(others)])
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The program's own rules can be taken again only where a person has saved others."""
        if action == "reset":
            return True if self._in_force is not None and self._in_force.saved is not None else None
        return True

    @work(exclusive=True)
    async def action_test(self) -> None:
        """See what the rules of a file would have done."""
        toml = await self._asked("Try a file of rules")
        if toml is None:
            return
        with self.doing("Trying the rules on all that has come"):
            self.app.push_screen(TrialScreen(self._file, await self.api.admission.test(toml)))

    @work(exclusive=True)
    async def action_use(self) -> None:
        """Use the rules of a file, after a look at what they would have done."""
        toml = await self._asked("Use a file of rules")
        if toml is None:
            return
        trial: TrialView | None = None
        with self.doing("Trying the rules on all that has come"):
            trial = await self.api.admission.test(toml)
        if trial is not None and await self.app.push_screen_wait(Confirm("Use these rules?", _summary(trial), "Use")):
            with self.doing("Saving", SAVED):
                await self.api.admission.use(toml)
                await self._show()

    @work(exclusive=True)
    async def action_reset(self) -> None:
        """Use the program's own rules again."""
        if await self.app.push_screen_wait(Confirm("Use the program's own rules?", RESET, "Use them")):
            with self.doing("Saving", RESET):
                await self.api.admission.reset()
                await self._show()

    async def _asked(self, title: str) -> str | None:
        """The text of a file that the person names; None if none, or if it cannot be read."""
        file = await self.app.push_screen_wait(Prompt(title, "Which file? Its path:", self._file))
        if not file:
            return None
        self._file = file
        with self.doing("Reading"):
            return await asyncio.to_thread(read_toml, Path(file).expanduser())
        return None


class TrialScreen(Sheet[None]):
    """What rules that are not in force would have done with all that has come."""

    HEADING = "A trial of rules"

    def __init__(self, file: str, trial: TrialView) -> None:
        super().__init__()
        self._file = file
        self._trial = trial

    def body(self) -> Iterator[Widget]:
        yield Static(Content(tried_words(self._trial)), classes="lead")
        with Reader():
            if self._trial.moves:
                yield heading("How many")
                yield Static(Content("\n".join(map(move_words, self._trial.moves))))
                yield heading("Which, the newest first")
                yield Static(Content("\n".join(map(change_words, self._trial.changes))))

    def on_mount(self) -> None:
        """Let it be scrolled."""
        self.entitle(f"{self.HEADING}: {Path(self._file).name}")
        self.query_one(Reader).focus()


def _rows(rules: list[RuleView]) -> Iterator[tuple[str | None, Content]]:
    for place, rule in enumerate(rules, 1):
        marks = ", ".join([*(["your own"] if rule.own else []), *([f"{rule.count} so far"] if rule.count else [])])
        name = f"{place:2} {rule.name}"
        yield rule.name, Content.assemble((name, "bold"), f"  {marks}" if marks else "", f"\n   {rule.words}")


def _other_rows(counts: list[CountView]) -> Iterator[tuple[str | None, Content]]:
    if counts:
        yield None, Content("Hidden otherwise")
    for count in counts:
        yield f"{count.rule} {count.place}", Content(f"   {count_words(count)}")


def _summary(trial: TrialView) -> str:
    lines = list(map(move_words, trial.moves))
    more = [f"and {len(lines) - MOVES_ASKED} more kinds"] if len(lines) > MOVES_ASKED else []
    return "\n".join([tried_words(trial), *lines[:MOVES_ASKED], *more, "", SAVED.removeprefix("Saved. ")])
