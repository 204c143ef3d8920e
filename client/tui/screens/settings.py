"""Settings: each choice is applied and written to config.toml at once, where its comments stay."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, get_args

from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList, Select, Static, TabbedContent, TabPane

from client.config import (
    LOCK_LIMIT,
    ClipboardWay,
    Config,
    EmojiForm,
    ImageForm,
    KeyProfile,
    Preview,
    ThemeName,
    config_path,
    load_config,
    save_config,
)
from client.desk.people_views import ModeView
from client.errors import ConfigError
from client.tui.keymap import ACTIONS, keymap, shown_keys
from client.tui.screens.press_key import PressKeyScreen
from client.tui.screens.rows import Rows
from client.tui.screens.sheet import Sheet
from client.tui.screens.toggles import Switch
from client.tui.themes import theme_of

# The name of the setting, what it is called here, and its choices with their words.
CHOICES: tuple[tuple[str, str, object, dict[str, str]], ...] = (
    ("theme", "Colours", ThemeName, {"auto": "as the terminal can", "ansi": "the terminal's own 16"}),
    ("key_profile", "Keys", KeyProfile, {}),
    (
        "notifications",
        "Notifications show",
        Preview,
        {"none": "only that there is something", "number": "who wrote", "text": "who wrote what"},
    ),
    ("emoji", "Emoji", EmojiForm, {"show": "as pictures", "text": "in words"}),
    ("images", "Images", ImageForm, {"auto": "as the terminal can", "blocks": "in half blocks", "off": "not shown"}),
    (
        "clipboard",
        "Copying",
        ClipboardWay,
        {"auto": "by the system's tools and the terminal", "osc52": "by the terminal only", "off": "never"},
    ),
)


REACHABLE = "reachable"
MODES = {"open": "everybody", "ask": "whom I let when they ask", "contacts": "my contacts only"}


class SettingsScreen(Sheet[None]):
    """Two tabs: what can be chosen, and which key does what; the colours are shown while they are being chosen."""

    HEADING = "Settings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace", "reset_key", "The profile's key again"),
    ]
    DEFAULT_CSS = """
    SettingsScreen TabbedContent, SettingsScreen TabPane {
        height: 1fr;
    }
    SettingsScreen TabPane {
        padding: 1 0 0 0;
    }
    SettingsScreen .setting {
        height: auto;
        margin-bottom: 1;
    }
    SettingsScreen .name {
        width: 21;
    }
    SettingsScreen Select, SettingsScreen Input {
        width: 1fr;
    }
    SettingsScreen Switch {
        margin-bottom: 1;
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._mode = ""  # how the account may be reached; unlike the rest, the service keeps it

    def body(self) -> Iterator[Widget]:
        config = self.account.config
        with TabbedContent():
            with TabPane("Choices", id="choices"), VerticalScroll(can_focus=False):
                for name, label, kind, words in CHOICES:
                    options = [(words.get(each, each), each) for each in get_args(kind)]
                    choice = Select(options, value=getattr(config, name), allow_blank=False, id=name, compact=True)
                    yield _setting(label, choice)
                yield Switch("Ring the terminal's bell for a new message", config.bell, id="bell")
                minutes = str(config.lock_after_minutes)
                yield _setting("Lock after minutes", Input(minutes, type="integer", id="minutes", compact=True))
                yield _setting("Save files in", Input(str(config.download_folder), id="folder", compact=True))
                modes = [(words, mode) for mode, words in MODES.items()]
                yield _setting("Who can write to me", Select(modes, prompt="looking", id=REACHABLE, compact=True))
                yield Static(Content("To delete what the delivery service keeps for you: /deletedata"), classes="quiet")
                yield Static(Content(f"Minutes: 0 is never. Written to {config_path()}"), classes="quiet")
            with TabPane("Keys", id="keys"):
                yield Static(
                    Content("Enter, then press the new key; * is a key of your own. A key cannot mean two things."),
                    classes="lead",
                )
                yield Rows("actions")

    def on_mount(self) -> None:
        """Show the keys, and begin at the first choice."""
        for field in self.query(Input):
            field.cursor_blink = False
        self._show_keys()
        self._show_mode()
        theme = self.query_one("#theme", Select)
        self.watch(theme, "expanded", self._show_theme, init=False)
        self.watch(theme.query_one(OptionList), "highlighted", self._preview, init=False)
        theme.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key can be given back only where keys are listed."""
        if action == "reset_key":
            return self.is_mounted and self.query_one(TabbedContent).active == "keys"
        return True

    # --- choices

    @on(Select.Changed)
    def _chose(self, event: Select.Changed) -> None:
        if event.select.id == REACHABLE:
            if event.value != Select.NULL and event.value != self._mode:
                self._choose_mode(str(event.value))
            return
        self._change(str(event.select.id), event.value)

    @on(Switch.Changed)
    def _switched(self, event: Switch.Changed) -> None:
        self._change("bell", event.value)

    @on(Input.Submitted, "#minutes")
    @on(Input.Blurred, "#minutes")
    def _minutes_given(self) -> None:
        typed = self.query_one("#minutes", Input).value
        if typed.isdecimal() and int(typed) <= LOCK_LIMIT:
            self._change("lock_after_minutes", int(typed))
        else:
            self.say(f"The lock takes a number of minutes from 0 (never) to {LOCK_LIMIT}.", failed=True)

    @on(Input.Submitted, "#folder")
    @on(Input.Blurred, "#folder")
    def _folder_given(self) -> None:
        typed = self.query_one("#folder", Input).value.strip()
        if typed.startswith(("/", "~/")):
            self._change("download_folder", Path(typed).expanduser())
        else:
            self.say('The folder is a path that begins with "/" or "~/".', failed=True)

    @work(exclusive=True, group="mode")
    async def _show_mode(self) -> None:
        with self.doing(""):
            self._wear_mode(await self.api.people.mode())

    @work(exclusive=True, group="mode")
    async def _choose_mode(self, mode: str) -> None:
        """The service is told first: without network nothing is chosen, and the row goes back to what is in force."""
        chosen = None
        with self.doing("Telling the service", "Chosen."):
            chosen = await self.api.people.mode(mode)
        self._wear_mode(chosen or await self.api.people.mode())

    def _wear_mode(self, mode: ModeView) -> None:
        self._mode = mode.mode
        self.query_one(f"#{REACHABLE}", Select).value = mode.mode

    def _change(self, name: str, value: object) -> None:
        if getattr(self.account.config, name) != value:
            self._keep(name, value)

    @work(group="keep")
    async def _keep(self, name: str, value: Any) -> None:
        with self.doing("Writing the settings", "Saved."):
            config = replace(self.account.config, **{name: value})
            keys = _keys_of(config)
            await asyncio.to_thread(_write, name, value)
            self.account.config = config
            self.app.set_keymap(keys)
            self._show_theme()
            self._show_keys()

    # --- colours

    def _preview(self, place: int | None) -> None:
        if place is not None and self.query_one("#theme", Select).expanded:
            self._wear(get_args(ThemeName)[place])

    def _show_theme(self) -> None:
        self._wear(self.account.config.theme)

    def _wear(self, theme: ThemeName) -> None:
        self.app.theme = theme_of(self.app, replace(self.account.config, theme=theme))

    # --- keys

    def _show_keys(self) -> None:
        self.query_one(Rows).show(list(_key_rows(keymap(self.account.config), self.account.config.keys)))

    @on(TabbedContent.TabActivated)
    def _turned(self) -> None:
        self.refresh_bindings()

    @on(OptionList.OptionSelected, "#actions")
    @work(exclusive=True)
    async def _bind(self, event: OptionList.OptionSelected) -> None:
        action = next(action for action in ACTIONS if action.id == event.option_id)
        key = await self.app.push_screen_wait(PressKeyScreen(action.words))
        if key is not None:
            self._change("keys", {**self.account.config.keys, action.id: key})

    def action_reset_key(self) -> None:
        """Give an action the key of its profile again."""
        chosen = self.query_one(Rows).chosen
        self._change("keys", {action: key for action, key in self.account.config.keys.items() if action != chosen})


def _write(name: str, value: Any) -> None:
    # Only this: what else differs from the file was chosen for this run.
    path = config_path()
    save_config(path, replace(load_config(path), **{name: value}))


def _keys_of(config: Config) -> dict[str, str]:
    """The keymap, judged before anything is written. Raises ConfigError."""
    try:
        return keymap(config)
    except ConfigError as error:
        raise ConfigError(
            str(error).removeprefix("[keys] "), hint="Nothing was changed. Choose another key."
        ) from error


def _setting(label: str, control: Widget) -> Widget:
    return Horizontal(Static(Content(label), classes="name"), control, classes="setting")


def _key_rows(chosen: dict[str, str], own: Iterable[str]) -> Iterator[tuple[str, Content]]:
    for action in ACTIONS:
        mark = "* " if action.id in own else "  "
        keys = shown_keys(chosen[action.id])
        yield action.id, Content.assemble(mark, (f"{keys:<22}", "$text-accent"), action.words)
