"""The `ringtrue` command: composes the packages' sub-commands, nothing else."""

import importlib

import click

# Each module is imported only when one of its commands is used: sending a message loads no server.
_COMMANDS = {
    "enroll": "client.cli:enroll",
    "chat": "client.cli:chat",
    "send": "client.cli:send",
    "receive": "client.cli:receive",
    "history": "client.cli:history",
    "members": "client.cli:members",
    "add": "client.cli:add",
    "remove": "client.cli:remove",
    "leave": "client.cli:leave",
    "export": "client.cli:export_message",
    "verify": "client.cli:verify_file",
    "doctor": "client.cli:doctor",
    "demo": "lab.cli:demo",
    "authority": "identity.authority.cli:authority",
    "delivery": "delivery_service.cli:delivery",
}


class Composed(click.Group):
    """A group whose commands are found by the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the table's order."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name].split(":")
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=Composed, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ringtrue", prog_name="ringtrue")
def main() -> None:
    """An end-to-end encrypted messenger in which every message proves the telephone number it came from."""


if __name__ == "__main__":
    main()
