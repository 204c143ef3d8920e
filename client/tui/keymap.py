"""Which key does what: every action that can be bound, three profiles, and a person's own choices over them.

Only keys that every terminal sends are bound or accepted. Letters act where no text is typed; in a text field they are
text. Alt is left to keyboard layouts, Ctrl+A and Ctrl+B to screen and tmux, Ctrl+C, V and Z to terminals.
"""

import re
from dataclasses import dataclass
from typing import Literal

from textual.keys import KEY_NAME_REPLACEMENTS, _character_to_key  # the names that App.set_keymap itself uses

from client.config import Config
from client.errors import ConfigError

Where = Literal["anywhere", "composer", "conversation"]

# Ctrl+H, I, M and [ are other keys' codes.
_SENT_BY_ALL = re.compile(
    r"ctrl\+[d-gj-lno-uw-y]|f(?:[1-9]|1[0-2])"
    r"|enter|escape|tab|shift\+tab|space|backspace|delete|up|down|left|right|home|end|pageup|pagedown"
)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a key can do; `where`: the part of the screen that has the focus. Keys are separated by commas.

    `vim` and `emacs` are empty where those profiles keep the default.
    """

    id: str
    where: Where
    default: str
    words: str
    vim: str = ""
    emacs: str = ""


ACTIONS = (
    Action("send", "composer", "enter", "Send the message"),
    Action("newline", "composer", "ctrl+j", "Begin a new line"),
    Action("cancel", "anywhere", "escape", "Close, go back, leave the composer", emacs="escape,ctrl+g"),
    Action("next_pane", "anywhere", "tab", "Go to the next pane"),
    Action("previous_pane", "anywhere", "shift+tab", "Go to the previous pane"),
    Action("palette", "anywhere", "ctrl+p", "Find a chat or a command by name", vim="ctrl+p,colon", emacs="ctrl+p,x"),
    Action("help", "anywhere", "f1,question_mark", "Show keys and help"),
    Action("inspect", "conversation", "f2,i,enter", "Show the checks of the selected message"),
    Action("requests", "anywhere", "f3", "Show requests and what was held back"),
    Action("check_number", "anywhere", "f4", "Compare the check number of the chat"),
    Action("status", "anywhere", "f5", "Show the network and the certificate"),
    Action("new_chat", "anywhere", "ctrl+n,n", "Begin a chat", emacs="ctrl+n,N"),
    Action("find", "anywhere", "ctrl+f,slash", "Search this chat", emacs="ctrl+s,slash"),
    Action("find_everywhere", "anywhere", "f7,ctrl+g", "Search all chats", emacs="f7,ctrl+r"),
    Action("next_unread", "anywhere", "ctrl+t,u", "Go to the next unread chat"),
    Action("copy", "conversation", "ctrl+o,c", "Copy the selected message", vim="ctrl+o,y", emacs="ctrl+o,w"),
    Action("reply", "conversation", "r", "Reply to the selected message"),
    Action("react", "conversation", "plus", "React to the selected message"),
    Action("edit", "conversation", "e", "Edit the selected message"),
    Action("delete", "conversation", "delete,d", "Take the selected message back", vim="delete,x"),
    Action("attach", "anywhere", "f8", "Attach a file"),
    Action("open_attachment", "conversation", "o", "Open or save the attachment"),
    Action("members", "anywhere", "f9", "Show the members"),
    Action("mute", "conversation", "m", "Mute the chat"),
    Action("pin", "conversation", "p", "Pin the chat", emacs="P"),
    Action("archive", "conversation", "a", "Archive the chat"),
    Action("lock", "anywhere", "ctrl+l", "Lock the screen"),
    Action("incognito", "conversation", "I", "Show no names and texts outside a chat; keep no marks"),
    Action("quit", "anywhere", "ctrl+q,Q", "Quit"),
    Action("first", "conversation", "home,g", "Go to the first", emacs="home,less_than_sign"),
    Action("last", "conversation", "end,G", "Go to the last", emacs="end,greater_than_sign"),
    Action("up", "conversation", "up,k", "Go up", emacs="up,p"),
    Action("down", "conversation", "down,j", "Go down", emacs="down,n"),
    Action("page_up", "conversation", "pageup", "Go up by a page", vim="pageup,ctrl+u", emacs="pageup,v"),
    Action("page_down", "conversation", "pagedown", "Go down by a page", vim="pagedown,ctrl+d", emacs="pagedown,space"),
    Action("jump_to_quoted", "conversation", "v", "Go to the quoted message", emacs="j"),
    Action("jump_back", "conversation", "b", "Go back to where the jump began"),
    Action("retry", "conversation", "R", "Send the failed message again"),
    Action("report", "conversation", "exclamation_mark", "Report the selected message"),
    Action("settings", "conversation", "s", "Change settings"),
    Action("keys_test", "conversation", "K", "See which keys this terminal sends"),
)
_BY_ID = {action.id: action for action in ACTIONS}


def keymap(config: Config) -> dict[str, str]:
    """The keys of every action, for `App.set_keymap`: the profile's, with the person's own choices over them.

    Raises ConfigError for an unknown action, a key that terminals do not send, and one key for two actions.
    """
    chosen = {action.id: _of_profile(action, config) for action in ACTIONS}
    for name, keys in config.keys.items():
        if name not in _BY_ID:
            raise ConfigError(f"[keys] has no action {name!a}; there are {', '.join(_BY_ID)}")
        chosen[name] = ",".join(_key(name, key) for key in keys.split(","))
    _refuse_duplicates(chosen)
    return chosen


def is_sent_by_all(key: str) -> bool:
    """Whether every terminal sends this key, by its long name, to the program in it."""
    return _SENT_BY_ALL.fullmatch(key) is not None or key in _PRINTABLE


def shown_keys(keys: str) -> str:
    """The keys of an action as they stand on a keyboard: "Ctrl+P or :"."""
    return " or ".join(
        _PRINTABLE.get(key) or "+".join(part.capitalize() for part in key.split("+")) for key in keys.split(",")
    )


_PRINTABLE = {_character_to_key(chr(code)): chr(code) for code in range(0x21, 0x7F)}
_BY_CHARACTER = {character: name for name, character in _PRINTABLE.items()}


def _of_profile(action: Action, config: Config) -> str:
    match config.key_profile:
        case "vim":
            return action.vim or action.default
        case "emacs":
            return action.emacs or action.default
        case _:
            return action.default


def _key(name: str, written: str) -> str:
    key = written.strip()
    key = _BY_CHARACTER.get(key, key if key in _PRINTABLE else KEY_NAME_REPLACEMENTS.get(key, key).lower())
    if not is_sent_by_all(key):
        raise ConfigError(
            f"[keys] {name}: {written.strip()!a} is not a key that every terminal sends; use a letter, a sign, "
            "f1 to f12, ctrl with a letter but a, b, c, h, i, m, v and z, or a named key such as pageup"
        )
    if _BY_ID[name].where == "composer" and key in {*_PRINTABLE, "space", "backspace", "delete"}:
        raise ConfigError(f"[keys] {name}: {written.strip()!a} is needed for writing")
    return key


def _refuse_duplicates(chosen: dict[str, str]) -> None:
    taken: dict[tuple[Where, str], str] = {}
    for name, keys in chosen.items():
        for key in keys.split(","):
            for place in _reach(_BY_ID[name].where):
                other = taken.setdefault((place, key), name)
                if other != name:
                    raise ConfigError(f"[keys] {shown_keys(key)} would mean both {other} and {name}")


def _reach(where: Where) -> tuple[Where, ...]:
    return ("composer", "conversation") if where == "anywhere" else (where,)
