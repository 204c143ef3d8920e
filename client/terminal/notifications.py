"""Telling a person who looks elsewhere: how much is said, how often, and through what.

Nothing is said for each message of a catch-up: what waits is told together, at most once in `INTERVAL` seconds.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from client.config import Preview
from client.formats.text import safe_notice
from client.terminal.abilities import passed_through
from client.terminal.programs import installed, run_program
from identity.number import TelephoneNumber

INTERVAL = 5.0  # seconds between two notifications, and before the first
TITLE = "Ringtrue"

_OSC9 = frozenset({"iTerm.app", "WezTerm", "ghostty"})
_OSC777_TERMS = ("foot", "rxvt")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that nobody was told of yet; `text` may be as it was received."""

    sender: TelephoneNumber
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notification says: one harmless line. `discreet`: the same without words of a message."""

    line: str
    discreet: str


def is_due(now: float, last: float, pending: int) -> bool:
    """Whether to tell of what waits; `last` is when it was last done, or when the program began."""
    return pending > 0 and now - last >= INTERVAL


def notice(pending: Sequence[Arrival], level: Preview) -> Notice:
    """The words for all that waits: "none" says that there is something, "number" from whom, "text" what."""
    count = "New message" if len(pending) == 1 else f"{len(pending)} new messages"
    senders = list(dict.fromkeys(arrival.sender for arrival in pending))
    if level == "none" or not senders:
        return Notice(count, count)
    discreet = f"{count} from {senders[0] if len(senders) == 1 else f'{len(senders)} numbers'}"
    if level == "text" and len(pending) == 1:
        return Notice(safe_notice(f"{senders[0]}: {pending[0].text}"), discreet)
    return Notice(discreet, discreet)


def sequences(notice: Notice, *, bell: bool, environment: Mapping[str, str]) -> str:
    """What to send to the terminal: the bell if wanted, and its own kind of notification if it is known to have one."""
    line = safe_notice(notice.line)
    program = environment.get("TERM_PROGRAM") or environment.get("LC_TERMINAL", "")
    term = environment.get("TERM", "")
    ring = "\a" if bell else ""
    if program in _OSC9 or program == "iTerm2" or term == "xterm-kitty":
        # With the title in front, no text can begin with a digit: OSC 9;7 runs a program in ConEmu.
        return ring + passed_through(f"\x1b]9;{TITLE}: {line}\a", environment)
    if term.startswith(_OSC777_TERMS):
        return ring + passed_through(f"\x1b]777;notify;{TITLE};{line}\a", environment)
    return ring


async def notify_desktop(notice: Notice, environment: Mapping[str, str] = os.environ) -> bool:
    """Show a notification with this machine's own tool; whether that was done.

    Other users of a machine can read a program's arguments: notify-send gets the discreet words only.
    """
    if sys.platform == "darwin" and (path := installed(("osascript",), environment)):
        script = f"display notification {_apple(notice.line)} with title {_apple(TITLE)}"
        return await run_program((path, "-"), script.encode(), environment)
    if not (environment.get("DBUS_SESSION_BUS_ADDRESS") or environment.get("DISPLAY")):
        return False
    path = installed(("notify-send",), environment)
    if path is None:
        return False
    words = safe_notice(notice.discreet)
    return await run_program((path, f"--app-name={TITLE}", "--", TITLE, words), b"", environment)


def _apple(words: str) -> str:
    return '"' + safe_notice(words).replace("\\", "\\\\").replace('"', '\\"') + '"'
