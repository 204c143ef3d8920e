"""Requests and quarantine: who wants to talk, and what was held back, without a stranger's words, names or links."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static, TabbedContent, TabPane

from client.desk.people_views import RequestView
from client.desk.told import Quarantined, RequestArrived, StatusChanged
from client.desk.views import MessageView
from client.tui.heard import Heard
from client.tui.screens.ask import Confirm
from client.tui.screens.inspector import InspectorScreen
from client.tui.screens.report import ReportScreen
from client.tui.screens.request_cards import quarantine_rows, request_rows
from client.tui.screens.revealed import RevealedScreen
from client.tui.screens.rows import Rows
from client.tui.screens.rules import RulesScreen
from client.tui.screens.sheet import Sheet
from client.words.spelling import counted, shown_number
from client.words.wording import CAUTION_ABOUT_REACHING

ON_REQUESTS = ("accept", "decline", "block", "report", "mark", "mark_all")
NO_REQUESTS = "Nobody is waiting. Who is not a contact appears here first, and nothing they write is shown before."
NOTHING_HELD = "Nothing was held back."


class RequestsScreen(Sheet[None]):
    """Two tabs, `asking` and `held`, of which `tab` is open first; an accepted chat is opened."""

    HEADING = "Requests and quarantine"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "accept", "Accept"),
        Binding("d", "decline", "Decline"),
        Binding("b", "block", "Block"),
        Binding("R", "report", "Report and block"),
        Binding("i", "inspect", "Inspect"),
        Binding("space", "mark", "Mark"),
        Binding("A", "mark_all", "Mark all"),
        Binding("u", "rules", "Rules"),
        Binding("right,l", "tab('held')", "Quarantine"),
        Binding("left,h", "tab('asking')", "Requests"),
    ]
    DEFAULT_CSS = """
    RequestsScreen TabbedContent {
        height: 1fr;
    }
    RequestsScreen TabPane {
        padding: 0;
        height: 1fr;
    }
    RequestsScreen TabPane Static {
        height: auto;
        padding: 1 0;
    }
    RequestsScreen Rows {
        height: 1fr;
    }
    """

    def __init__(self, tab: str = "asking") -> None:
        super().__init__()
        self._tab = tab
        self._requests: dict[str, RequestView] = {}
        self._held: dict[str, MessageView] = {}
        self._marked: set[str] = set()

    def body(self) -> Iterator[Widget]:
        with TabbedContent(initial=self._tab):
            with TabPane("Requests", id="asking"):
                yield Static(Content(NO_REQUESTS), id="nobody")
                yield Rows("requests")
            with TabPane("Quarantine", id="held"):
                yield Static(Content(NOTHING_HELD), id="nothing")
                yield Rows("quarantine")

    def on_mount(self) -> None:
        """Show what there is; until that is known, nothing is said of it."""
        self.query_one("#nobody").display = self.query_one("#nothing").display = False
        self.load("Looking")

    @on(Heard)
    def _heard(self, heard: Heard) -> None:
        if isinstance(heard.told, RequestArrived | Quarantined | StatusChanged):
            self.load()

    @work(exclusive=True, group="load")
    async def load(self, words: str = "") -> None:
        """Ask for both lists; the first time, begin where there is something."""
        with self.doing(words):
            await self._show()
            if words and self._held and not self._requests:
                self.action_tab("held")
            self._focus_list()

    async def _show(self) -> None:
        requests = await self.api.people.requests()
        held_chats = await self.api.people.held()
        held = await self.api.messages.quarantine()
        inbox = {chat.group: chat.chat for chat in await self.api.chats.all() if chat.place == "inbox"}
        self._requests = {request.handle: request for request in (*requests, *held_chats)}
        self._held = {str(message.row): message for message in held}
        self._marked &= self._requests.keys()
        self._draw_requests()
        self.query_one("#quarantine", Rows).show(list(quarantine_rows(held, inbox)))
        tabs = self.query_one(TabbedContent)
        also = f", held back {len(held_chats)}" if held_chats else ""
        tabs.get_tab("asking").label = Content(f"Requests {len(requests)}{also}")
        tabs.get_tab("held").label = Content(f"Quarantine {len(held)}")
        for place, there in (("requests", bool(self._requests)), ("quarantine", bool(held))):
            self.query_one(f"#{place}").display = there
        self.query_one("#nobody").display = not self._requests
        self.query_one("#nothing").display = not held
        self.refresh_bindings()

    def _draw_requests(self) -> None:
        self.query_one("#requests", Rows).show(list(request_rows(self._requests.values(), self._marked)))

    def _focus_list(self) -> None:
        shown = self.query_one("#requests" if self._on_requests else "#quarantine", Rows)
        (shown if shown.display else self.query_one(TabbedContent)).focus()

    @property
    def _on_requests(self) -> bool:
        return self.query_one(TabbedContent).active == "asking"

    @property
    def _meant(self) -> list[RequestView]:
        """The marked requests, or the one under the cursor."""
        if self._marked:
            return [request for handle, request in self._requests.items() if handle in self._marked]
        chosen = self.query_one("#requests", Rows).chosen
        return [self._requests[chosen]] if chosen in self._requests else []

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Requests are decided about; what was held back can only be looked at."""
        if action in ON_REQUESTS:
            if not self.is_mounted or not self._on_requests:
                return False
            return True if self._requests else None
        if action == "tab":
            return self.is_mounted and parameters[0] != self.query_one(TabbedContent).active
        return True

    @on(TabbedContent.TabActivated)
    def _turned(self) -> None:
        self._focus_list()
        self.refresh_bindings()

    def action_tab(self, pane: str) -> None:
        """Turn to a tab."""
        self.query_one(TabbedContent).active = pane

    def action_mark(self) -> None:
        """Mark the request under the cursor, or take its mark away."""
        chosen = self.query_one("#requests", Rows).chosen
        if chosen is not None:
            self._marked ^= {chosen}
            self._draw_requests()

    def action_mark_all(self) -> None:
        """Mark every request, or none if all are."""
        self._marked = set() if self._marked == self._requests.keys() else set(self._requests)
        self._draw_requests()

    @work(exclusive=True)
    async def action_accept(self) -> None:
        """Accept one request and go to its chat; many are accepted one by one, each on purpose."""
        meant = self._meant
        if len(meant) != 1:
            self.say("Accept one request at a time: take the marks away first.")
            return
        if meant[0].kind == "contact":
            await self._grant(meant[0])
            return
        words = (
            f"{shown_number(meant[0].number)} becomes a contact, and what they wrote is shown. "
            "A verified number does not say who a person is."
        )
        if await self.app.push_screen_wait(Confirm("Accept this request?", words, "Accept")):
            with self.doing("Accepting"):
                self.go_to(await self.api.people.accept(meant[0].group))

    async def _grant(self, request: RequestView) -> None:
        words = f"{shown_number(request.number)} becomes a contact, is told, and can write to you."
        if await self.app.push_screen_wait(Confirm("Let them write?", f"{words} {CAUTION_ABOUT_REACHING}", "Let them")):
            with self.doing("Telling the service", "They can write to you now."):
                await self.api.people.grant(request.number)
                await self._show()
                self._focus_list()

    @work(exclusive=True)
    async def action_decline(self) -> None:
        """Leave the chats and forget what was said in them; who only asks to be let through is not."""
        words = f"You leave {_these(self._meant)}, and what waits there is deleted unread. They may ask again."
        if all(each.kind == "contact" for each in self._meant):
            words = f"{_numbers(self._meant)}: not let through, and not told so. They may ask again some weeks later."
        await self._decide("Decline?", words, "Decline", self._decline)

    async def _decline(self, request: RequestView) -> None:
        if request.kind == "contact":
            await self.api.people.refuse(request.number)
        else:
            await self.api.people.decline(request.group)

    @work(exclusive=True)
    async def action_block(self) -> None:
        """Block the numbers that ask."""
        words = f"{_numbers(self._meant)}: declined, and what they ask later is dropped and counted."
        await self._decide("Block?", words, "Block", lambda each: self.api.people.block(each.number))

    @work(exclusive=True)
    async def action_report(self) -> None:
        """Report what waits behind one request, as the person sees fit, and block the number."""
        meant = self._meant
        if len(meant) != 1:
            self.say("Report one request at a time: take the marks away first.")
            return
        with self.doing("Looking"):
            rows = await self.api.people.reportable(meant[0].group) if meant[0].messages else []
            sent = await self.app.push_screen_wait(ReportScreen(rows, rows[-1:], veiled=True, block=True))
            if sent is not None:
                await self._show()
                self.say(sent.words)
        self._focus_list()

    async def _decide(
        self, title: str, words: str, yes: str, act: Callable[[RequestView], Coroutine[Any, Any, object]]
    ) -> None:
        meant = self._meant
        if not meant or not await self.app.push_screen_wait(Confirm(title, words, yes)):
            return
        with self.doing(f"{yes}: {counted(len(meant), 'request')}"):
            for request in meant:
                await act(request)
        self._marked.clear()
        await self._show()
        self._focus_list()

    def action_rules(self) -> None:
        """Show the rules that have put this here."""
        self.app.push_screen(RulesScreen())

    def action_inspect(self) -> None:
        """Open the inspector on the message under the cursor, or on the last one behind a request."""
        row = self._row_to_inspect
        if row is None:
            self.say("No message waits here: there is nothing to inspect.")
        else:
            self.app.push_screen(InspectorScreen(row))

    @property
    def _row_to_inspect(self) -> int | None:
        if self._on_requests:
            request = self._requests.get(self.query_one("#requests", Rows).chosen or "")
            return None if request is None else request.row
        held = self._held.get(self.query_one("#quarantine", Rows).chosen or "")
        return None if held is None else held.row

    @on(OptionList.OptionSelected, "#requests")
    def _decide_on_purpose(self) -> None:
        self.say("a accepts, d declines, b blocks. Nothing is shown before you accept.")

    @on(OptionList.OptionSelected, "#quarantine")
    @work(exclusive=True)
    async def _reveal(self, event: OptionList.OptionSelected) -> None:
        message = self._held.get(event.option_id or "")
        if message is None:
            return
        failed = "It failed its check." if message.proof and message.proof.verdict == "failed" else "It was held back."
        words = f"{failed} {message.proof.reason if message.proof else message.why}".strip()
        if await self.app.push_screen_wait(Confirm("Show the message?", words, "Show")):
            with self.doing("Opening"):
                self.app.push_screen(RevealedScreen(await self.api.messages.reveal(message.row)))


def _these(requests: Sequence[RequestView]) -> str:
    return f"the chat with {shown_number(requests[0].number)}" if len(requests) == 1 else f"{len(requests)} chats"


def _numbers(requests: Sequence[RequestView]) -> str:
    numbers = list(dict.fromkeys(shown_number(request.number) for request in requests))
    shown = ", ".join(numbers[:5])
    return shown if len(numbers) <= 5 else f"{shown} and {len(numbers) - 5} others"
