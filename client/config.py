"""The settings in config.toml: one frozen value, read strictly, written back without losing comments.

Everything has a default, so there need be no file. An unknown key is an error: a misspelt `lock_after_minute` must not
leave a device unlocked.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

import platformdirs

from client.errors import ConfigError
from client.storage.home import write_private

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

PATH_VARIABLE = "RINGTRUE_CONFIG"
SIZE_LIMIT = 1 << 16  # octets of the file
LOCK_LIMIT = 7 * 24 * 60  # minutes

ThemeName = Literal["auto", "dark", "light", "high-contrast-dark", "high-contrast-light", "ansi"]
KeyProfile = Literal["default", "vim", "emacs"]
Preview = Literal["none", "number", "text"]
EmojiForm = Literal["show", "text"]
ImageForm = Literal["auto", "blocks", "off"]
ClipboardWay = Literal["auto", "osc52", "off"]


@dataclass(frozen=True, slots=True)
class Config:
    """What a person chose; `keys` maps an action of the terminal client to its keys, separated by commas."""

    theme: ThemeName = "auto"
    key_profile: KeyProfile = "default"
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    notifications: Preview = "number"
    bell: bool = True
    emoji: EmojiForm = "show"
    lock_after_minutes: int = 0  # 0: never
    images: ImageForm = "auto"
    clipboard: ClipboardWay = "auto"
    download_folder: Path = field(default_factory=platformdirs.user_downloads_path)


def config_path() -> Path:
    """Where the settings are: RINGTRUE_CONFIG, or config.toml in the user's configuration folder."""
    named = os.environ.get(PATH_VARIABLE)
    return Path(named) if named else platformdirs.user_config_path("ringtrue") / "config.toml"


def load_config(path: Path) -> Config:
    """The settings in a file, the defaults if there is none. Raises ConfigError naming file and line."""
    try:
        return parse_config(_octets(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_config(octets: bytes) -> Config:
    """The settings in the octets of a TOML file. Raises ConfigError naming the line."""
    if len(octets) > SIZE_LIMIT:
        raise ConfigError(f"the file has more than {SIZE_LIMIT} octets")
    try:
        text = octets.decode()
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or an integer beyond int()'s limit
        raise ConfigError(f"this is not TOML: {ascii(str(error))[1:-1][:200]}") from error
    return replace(Config(), **{name: _setting(text, name, value) for name, value in table.items()})


def save_config(path: Path, config: Config) -> None:
    """Write the settings that differ from what the file says; comments and the order stay. Raises ConfigError."""
    import tomlkit  # to be loaded by whoever writes: a program starts without it
    from tomlkit.exceptions import TOMLKitError

    present = load_config(path)
    changed = [item.name for item in fields(Config) if getattr(config, item.name) != getattr(present, item.name)]
    try:
        document = tomlkit.parse(_octets(path).decode())
        for name in changed:
            _put(document, name, getattr(config, name))
        target = path.resolve()  # a link to a file kept elsewhere stays a link
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(target, tomlkit.dumps(document).encode())
    except (OSError, TOMLKitError) as error:
        raise ConfigError(f"{path} cannot be written: {error}") from error


def _octets(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}") from error


def _put(document: "TOMLDocument", name: str, value: object) -> None:
    if isinstance(value, Path):
        document[name] = str(value)
    elif not isinstance(value, Mapping):
        document[name] = value
    elif not isinstance(table := document.get(name), MutableMapping):
        document[name] = dict(value)
    else:  # entry by entry, so that the comments beside the others stay
        for key in [key for key in table if key not in value]:
            del table[key]
        for key in [key for key in value if table.get(key) != value[key]]:
            table[key] = value[key]


def _setting(text: str, name: str, value: object) -> Any:
    reader = _READERS.get(name)
    if reader is None:
        raise ConfigError(f"{_line(text, name)}there is no setting {name!a}; there are {', '.join(_READERS)}")
    try:
        return reader(value)
    except _WrongValueError as error:
        raise ConfigError(f"{_line(text, error.key) or _line(text, name)}{name} {error}") from None


class _WrongValueError(ValueError):
    def __init__(self, words: str, key: str = "") -> None:
        super().__init__(words)
        self.key = key


def _choice(literal: Any) -> Callable[[object], object]:
    choices = get_args(literal)

    def read(value: object) -> object:
        if not isinstance(value, str) or value not in choices:
            raise _WrongValueError("must be one of " + ", ".join(f'"{choice}"' for choice in choices))
        return value

    return read


def _switch(value: object) -> object:
    if not isinstance(value, bool):
        raise _WrongValueError("must be true or false")
    return value


def _minutes(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LOCK_LIMIT:
        raise _WrongValueError(f"must be a number of minutes from 0 (never) to {LOCK_LIMIT}")
    return value


def _folder(value: object) -> object:
    # A variable or the working directory would make the same file mean different places.
    if not isinstance(value, str) or "\0" in value or not value.startswith(("/", "~/")):
        raise _WrongValueError('must be the path of a folder that begins with "/" or "~/"')
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise _WrongValueError("begins with ~, and this system does not say where that is") from error


def _keys(value: object) -> object:
    if not isinstance(value, dict):
        raise _WrongValueError('must be a table: [keys], then lines such as find = "ctrl+f"')
    for action, keys in value.items():
        if not isinstance(keys, str):
            raise _WrongValueError(f"has something else than a text for {action!a}", action)
    return MappingProxyType(value)


_READERS: dict[str, Callable[[object], object]] = {
    "theme": _choice(ThemeName),
    "key_profile": _choice(KeyProfile),
    "keys": _keys,
    "notifications": _choice(Preview),
    "bell": _switch,
    "emoji": _choice(EmojiForm),
    "lock_after_minutes": _minutes,
    "images": _choice(ImageForm),
    "clipboard": _choice(ClipboardWay),
    "download_folder": _folder,
}


def _line(text: str, key: str) -> str:
    """Say in which line `key` is set; nothing if it is written in a form that is not looked for."""
    if not key:
        return ""
    pattern = re.compile(rf"""\s*\[?\s*["']?{re.escape(key)}["']?\s*[\].=]""")
    for number, line in enumerate(text.split("\n"), 1):
        if pattern.match(line):
            return f"line {number}: "
    return ""
