"""The menu: every attack of the catalogue and the wave of spam, with what each is about."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from client.tui.screens.key_line import KeyLine
from lab.attacks.attack import Attack
from lab.attacks.catalogue import ATTACKS
from lab.show.lines import QUIET, STRONG
from lab.show.scene import Scene
from lab.show.teller import BY_NAME
from lab.wave import ABOUT, WAVE


class Menu(ModalScreen[str | None]):
    """Answers with the name of what was chosen, or None."""

    DEFAULT_CSS = """
    Menu {
        background: $background;
    }
    Menu Horizontal {
        height: 1fr;
    }
    Menu OptionList, Menu Static.about {
        width: 1fr;
        height: 1fr;
        border: round $primary;
        border-title-color: $text;
        border-title-style: bold;
        background: $background;
        padding: 0 1;
    }
    Menu OptionList {
        max-width: 44;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
    }
    Menu OptionList:focus {
        border: round $primary;
    }
    Menu Static.about {
        overflow-y: auto;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Play it", priority=True),
        Binding("escape,m", "leave", "Back to the story"),
        Binding("q,ctrl+q", "app.leave", "Quit"),
    ]

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def compose(self) -> ComposeResult:
        """The list, and what stands beside it."""
        with Horizontal():
            attacks = OptionList(*(self._option(attack) for attack in ATTACKS), markup=False)
            attacks.add_option(Option(Content("  A wave of spam"), id=WAVE))
            attacks.border_title = Content("Choose an attack")
            yield attacks
            yield Static("", markup=False, classes="about")
        yield KeyLine()

    def on_mount(self) -> None:
        """Begin with the attack that is on the stage."""
        attacks = self.query_one(OptionList)
        current = self._scene.attack
        attacks.highlighted = 0 if current is None else list(BY_NAME).index(current.name)
        attacks.focus()

    @on(OptionList.OptionHighlighted)
    def tell_about(self, event: OptionList.OptionHighlighted) -> None:
        """Say what it is."""
        about = self.query_one(".about", Static)
        attack = BY_NAME.get(event.option_id or "")
        about.border_title = Content("A wave of spam" if attack is None else attack.name)
        about.update(Content(ABOUT) if attack is None else self._about(attack))

    @on(OptionList.OptionSelected)
    def choose_option(self, event: OptionList.OptionSelected) -> None:
        """Play it."""
        self.dismiss(event.option_id)

    def action_choose(self) -> None:
        """Play what is highlighted."""
        self.query_one(OptionList).action_select()

    def action_leave(self) -> None:
        """Back, without a choice."""
        self.dismiss(None)

    def _option(self, attack: Attack) -> Option:
        attempt = self._scene.attempts.get(attack.name)
        sign = " " if attempt is None else "✓" if attack.held(attempt.outcome) else "✗"
        return Option(Content(f"{sign} {attack.title}"), id=attack.name)

    def _about(self, attack: Attack) -> Content:
        attempt = self._scene.attempts.get(attack.name)
        so_far = "not played yet" if attempt is None else f"stopped by {attempt.outcome.by or 'nothing'}"
        return Content.assemble(
            attack.deed,
            "\n\n",
            ("stopped by ", QUIET),
            (f"{attack.guard}", STRONG),
            "\n",
            (f"in this run: {so_far}", QUIET),
            "\n\n",
            attack.story,
        )
