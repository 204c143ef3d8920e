"""Keys: every profile binds only what terminals send, no key means two things, and a person's choice is final."""

import re
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from client.config import Config, KeyProfile
from client.errors import ConfigError
from client.tui.keymap import ACTIONS, keymap, shown_keys

PROFILES: list[KeyProfile] = ["default", "vim", "emacs"]
IDS = [action.id for action in ACTIONS]
# Alt, combinations that need a newer protocol, other keys' codes, and what tmux, screen, job control and pasting take.
NEVER_ARRIVE = re.compile(
    r"alt\+|meta\+|super\+|ctrl\+(?:enter|tab|space|@|slash|underscore|shift|[abchimvz0-9]$)|shift\+(?:enter|space|f\d)"
)

every_profile = pytest.mark.parametrize("profile", PROFILES)


@every_profile
def test_every_action_has_a_key_in_every_profile(profile: KeyProfile) -> None:
    keys = keymap(Config(key_profile=profile))
    assert list(keys) == IDS
    assert len(set(IDS)) == len(IDS)
    assert all(keys.values())


@every_profile
def test_no_key_is_bound_that_some_terminal_does_not_send(profile: KeyProfile) -> None:
    for keys in keymap(Config(key_profile=profile)).values():
        for key in keys.split(","):
            assert not NEVER_ARRIVE.match(key)
            assert re.fullmatch(r"ctrl\+[a-z]|shift\+tab|f\d\d?|[a-z_]+|[A-Z]", key)


@every_profile
def test_what_a_message_is_written_with_writes_in_the_composer(profile: KeyProfile) -> None:
    keys = keymap(Config(key_profile=profile))
    for action in ACTIONS:
        if action.where == "composer":
            assert all("+" in key or key == "enter" for key in keys[action.id].split(","))


@every_profile
def test_what_is_needed_while_writing_has_a_key_that_is_no_letter(profile: KeyProfile) -> None:
    keys = keymap(Config(key_profile=profile))
    for action in ACTIONS:
        if action.where == "anywhere":
            assert re.match(r"ctrl\+|f\d|escape|tab|shift\+tab", keys[action.id])


def test_enter_sends_and_ctrl_j_breaks_the_line_in_every_profile() -> None:
    for profile in PROFILES:
        keys = keymap(Config(key_profile=profile))
        assert (keys["send"], keys["newline"]) == ("enter", "ctrl+j")


def test_a_person_chooses_other_keys() -> None:
    keys = keymap(Config(keys={"reply": "ctrl+r", "find": "?, F6", "help": "f1"}))
    assert (keys["reply"], keys["find"], keys["edit"]) == ("ctrl+r", "question_mark,f6", "e")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"replay": "r"}, "no action 'replay'; there are send, newline,"),
        ({"reply": "e"}, "[keys] e would mean both reply and edit"),
        ({"help": "e"}, "would mean both help and edit"),
        ({"newline": "ctrl+p"}, "Ctrl+P would mean both newline and palette"),
        ({"reply": "alt+r"}, "'alt+r' is not a key that every terminal sends"),
        ({"newline": "shift+enter"}, "is not a key that every terminal sends"),
        ({"reply": "ctrl+i"}, "is not a key that every terminal sends"),
        ({"reply": ""}, "'' is not a key"),
        ({"reply": "\x1b[2J"}, "'\\x1b[2J' is not a key"),
        ({"send": "x"}, "'x' is needed for writing"),
    ],
)
def test_a_choice_that_cannot_work_is_refused_in_words(keys: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        keymap(Config(keys=keys))
    assert words in str(caught.value)


def test_keys_may_change_places() -> None:
    keys = keymap(Config(keys={"reply": "e", "edit": "r"}))
    assert (keys["reply"], keys["edit"]) == ("e", "r")


KEY_LIKE = st.sampled_from(["r", "e", "f1", "ctrl+x", "alt+a", "?", "enter", "space", "ctrl+j", "Tab"]) | st.text(
    max_size=6
)


@given(st.dictionaries(st.sampled_from(IDS) | st.text(max_size=5), KEY_LIKE, max_size=4), st.sampled_from(PROFILES))
def test_any_choice_gives_a_map_without_conflicts_or_an_error(keys: dict[str, str], profile: KeyProfile) -> None:
    try:
        chosen = keymap(Config(keys=keys, key_profile=profile))
    except ConfigError as error:
        words = str(error)
        assert words.isprintable()
    else:
        assert set(chosen) == set(IDS)
        for where in ("composer", "conversation"):
            bound = [
                key
                for action in ACTIONS
                if action.where in ("anywhere", where)
                for key in set(chosen[action.id].split(","))
            ]
            assert len(bound) == len(set(bound))


def test_keys_are_named_as_on_a_keyboard() -> None:
    assert shown_keys("ctrl+p,colon") == "Ctrl+P or :"
    assert shown_keys("pageup,G,f1") == "Pageup or G or F1"


class Pressed(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(action.default, f"note('{action.id}')", id=action.id) for action in ACTIONS if action.id != "quit"
    ]

    def __init__(self) -> None:
        super().__init__()
        self.pressed: list[str] = []

    def compose(self) -> ComposeResult:
        yield Static("x", markup=False)

    def action_note(self, action: str) -> None:
        self.pressed.append(action)


@every_profile
async def test_an_app_with_the_keymap_does_what_the_table_says(profile: KeyProfile) -> None:
    app = Pressed()
    async with app.run_test() as pilot:
        keys = keymap(Config(key_profile=profile))
        app.set_keymap(keys)
        for action in ("reply", "copy", "up", "page_down", "find", "react", "newline", "last"):
            for key in keys[action].split(","):
                app.pressed.clear()
                await pilot.press(key)
                assert app.pressed == [action]
