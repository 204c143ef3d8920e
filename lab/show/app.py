"""The screen of the demo: tells the story by itself, and plays what somebody chooses in between."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.filter import LineFilter
from textual.widgets import Static

from client.config import Config
from client.terminal.abilities import look_at_terminal
from client.tui.line_filter import LAST_LINE, survive_odd_mouse_reports
from client.tui.screens.key_line import KeyLine
from client.tui.themes import theme_of, use_themes
from lab.demo import Programme
from lab.show import attacker_half, board, victim_half
from lab.show.lines import STRONG, WARNING, joined
from lab.show.menu import Menu
from lab.show.pace import Pace
from lab.show.scene import Scene
from lab.show.teller import Teller

FRAME = 1 / 20  # seconds between two frames, at least
TITLE_WORDS = "DEMO AUTHORITY, not a carrier"


class ShowApp(App[bool]):
    """Returns whether all went as it must, as far as it was played."""

    TITLE = "Ringtrue demo"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { height: 1; background: $panel; color: $text; padding: 0 1; text-wrap: nowrap; }
    #step { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    #halves { height: 1fr; }
    .half { width: 1fr; height: 1fr; padding: 0 1; border-title-style: bold; text-wrap: nowrap; }
    #attacker { border: round $warning; border-title-color: $text-warning; }
    #victims { border: round $success; border-title-color: $text-success; }
    #board { height: 4; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis; }
    Screen.-low #board { height: 2; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-high")]  # noqa: RUF012 - likewise
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pause", "Pause, go on"),
        Binding("n", "next", "Next"),
        Binding("enter,m,down,up", "menu", "Choose an attack"),
        Binding("q", "leave", "Quit"),
        Binding("ctrl+q,ctrl+c", "leave", show=False),
    ]

    def __init__(self, programme: Programme, config: Config, pace: Pace) -> None:
        survive_odd_mouse_reports()
        super().__init__(ansi_color=True if look_at_terminal().no_color else None)  # else Textual draws black on black
        self.scene = Scene(tuple(programme.attacks))
        self.pace = pace
        self._programme = programme
        self._teller = Teller(programme, self.scene, pace, self._change)
        self._touched = False
        self._changed = True
        self._drawn: dict[str, Content] = {}
        self.telling: asyncio.Task[None] | None = None
        use_themes(self, theme_of(self, config))

    def compose(self) -> ComposeResult:
        """The title, the step, the halves, the board and the keys."""
        yield Static(self._title(), id="title", markup=False)
        yield Static("", id="step", markup=False)
        with Horizontal(id="halves"):
            yield Static("", id="attacker", classes="half", markup=False)
            yield Static("", id="victims", classes="half", markup=False)
        yield Static("", id="board", markup=False)
        yield KeyLine(in_one_row=True)

    def on_mount(self) -> None:
        """Draw first, then begin."""
        self.set_interval(FRAME, self.draw_if_changed)
        # No worker: Textual would cancel it once more while it takes the world down.
        self.telling = asyncio.create_task(self._tell())
        self.telling.add_done_callback(lambda _: self.exit(self.as_it_must))

    def on_resize(self) -> None:
        """Lay the lines out anew."""
        self._changed = True

    async def on_unmount(self) -> None:
        """Let the world end before the program does."""
        if self.telling is not None:
            self.telling.cancel()
            await asyncio.wait((self.telling,))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Nothing that steers a terminal passes."""
        return [*super().get_line_filters(), LAST_LINE]

    # --- the story

    async def _tell(self) -> None:
        await asyncio.sleep(FRAME)  # draw first
        await self._teller.tell(lambda: self._touched)

    @property
    def as_it_must(self) -> bool:
        """Whether nothing has gone wrong, as far as it was played."""
        finished = self.scene.finished
        return not self.scene.unheld if finished is None else finished.succeeded

    # --- the keys

    def action_pause(self) -> None:
        """Hold the story up, or let it go on."""
        self._touched = True
        self.pace.toggle()
        self._change()

    def action_next(self) -> None:
        """Go on by one step."""
        self._touched = True
        self.pace.step()

    @work(group="menu", exclusive=True)
    async def action_menu(self) -> None:
        """Let somebody choose; meanwhile the story waits."""
        self._touched = True
        was_paused, self.pace.paused = self.pace.paused, True
        self._change()
        name = await self.push_screen_wait(Menu(self.scene))
        if name is not None:
            self._teller.choose(name)
        elif not was_paused:
            self.pace.toggle()
        self._change()

    def action_leave(self) -> None:
        """End at any time."""
        self.exit(self.as_it_must)

    # --- drawing

    def _change(self) -> None:
        self._changed = True

    def draw_if_changed(self) -> None:
        """Draw what has changed since the last frame, in one go."""
        if not self._changed:
            return
        self._changed = False
        for name, heading, lines in (
            ("attacker", attacker_half.heading, attacker_half.lines),
            ("victims", victim_half.heading, victim_half.lines),
        ):
            half = self._part(name)
            half.border_title = Content(heading(self.scene))
            width, height = half.content_size
            self._draw(name, joined(lines(self.scene, width, height)[:height]))
        self._draw("board", joined(board.lines(self.scene, self._part("board").content_size.width)))
        self._draw("step", self._step())

    def _part(self, name: str) -> Static:
        return self.screen_stack[0].query_one(f"#{name}", Static)

    def _draw(self, name: str, content: Content) -> None:
        """Give a part what it shows, unless it shows that already: each byte may travel over a slow line."""
        drawn = self._drawn.get(name)
        if drawn is None or not content.is_same(drawn):
            self._drawn[name] = content
            self._part(name).update(content, layout=False)

    def _title(self) -> Content:
        seed = "" if self._programme.seed is None else f"   seed {self._programme.seed}"
        return Content.assemble((self.TITLE, STRONG), "   ", (TITLE_WORDS, WARNING), seed)

    def _step(self) -> Content:
        paused = (" PAUSED ", f"{WARNING} reverse") if self.pace.paused else ""
        return Content.assemble((f" {self.scene.step} ", "bold reverse"), " ", paused, f" {self.scene.title}")
