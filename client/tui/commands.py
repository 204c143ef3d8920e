"""One table of everything that can be asked for by name: the palette, slash commands, help and tests all read it."""

from collections.abc import Iterator
from dataclasses import dataclass

from client.errors import ClientError
from client.tui.account_commands import ACCOUNT_COMMANDS
from client.tui.chat_commands import CHAT_COMMANDS
from client.tui.command import Command
from client.tui.message_commands import MESSAGE_COMMANDS
from client.tui.people_commands import PEOPLE_COMMANDS

COMMANDS: tuple[Command, ...] = (*CHAT_COMMANDS, *MESSAGE_COMMANDS, *PEOPLE_COMMANDS, *ACCOUNT_COMMANDS)
BY_ID = {command.id: command for command in COMMANDS}
_BY_SLASH = {command.slash: command for command in COMMANDS}


class UnknownCommandError(ClientError):
    """What was typed begins like a command, and there is none of that name."""

    code = "unknown-command"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Typed:
    """What a line of the composer means: a command with its argument, or (`command` is None) `text` to be sent."""

    text: str
    command: Command | None = None


def typed(line: str) -> Typed:
    """Read what was typed: "/mute 8h" is a command, "//mute" sends "/mute". Raises UnknownCommandError."""
    if not line.startswith("/"):
        return Typed(line)
    if line.startswith("//"):
        return Typed(line[1:])
    name, _, argument = line[1:].partition(" ")
    command = _BY_SLASH.get(name.strip().lower())
    if command is None:
        raise UnknownCommandError(
            f"there is no command {'/' + name.strip()[:40]!a}; nothing was sent",
            hint="Put // in front to send it as text; F1 lists the commands.",
        )
    return Typed(argument.strip(), command)


def beginning_with(line: str) -> Iterator[Command]:
    """The commands whose slash form begins with what was typed so far, for a list under the composer."""
    if line.startswith("/") and not line.startswith("//"):
        word = line[1:].lower()
        yield from (command for command in COMMANDS if command.slash.startswith(word))
