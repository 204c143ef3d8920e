"""The `ringtrue` command: composes the packages' sub-commands, nothing else."""

import importlib

import click

# Each module is imported only when one of its commands is used: sending a message loads no server.
_COMMANDS = {
    "run": "client.tui.cli:run",
    "enroll": "client.commands.account:enroll",
    "chat": "client.commands.chats:chat",
    "rename": "client.commands.chats:rename",
    "timer": "client.commands.chats:timer",
    "want-proof": "client.commands.chats:want_proof",
    "mute": "client.commands.chats:mute",
    "pin": "client.commands.chats:pin",
    "archive": "client.commands.chats:archive",
    "members": "client.commands.chats:members",
    "add": "client.commands.chats:add",
    "remove": "client.commands.chats:remove",
    "admin": "client.commands.chats:admin",
    "leave": "client.commands.chats:leave",
    "check-number": "client.commands.chats:check_number",
    "begin-again": "client.commands.chats:begin_again",
    "add-again": "client.commands.chats:add_again",
    "export-chat": "client.commands.chats:export_chat",
    "send": "client.commands.messages:send",
    "reply": "client.commands.messages:reply",
    "attach": "client.commands.messages:attach",
    "save": "client.commands.messages:save",
    "transfers": "client.commands.transfers:transfers",
    "edit": "client.commands.messages:edit",
    "delete": "client.commands.messages:delete",
    "react": "client.commands.messages:react",
    "retry": "client.commands.messages:retry",
    "receive": "client.commands.reading:receive",
    "history": "client.commands.reading:history",
    "search": "client.commands.reading:search",
    "inspect": "client.commands.reading:inspect",
    "export": "client.commands.reading:export_message",
    "quarantine": "client.commands.reading:quarantine",
    "rules": "client.commands.rules:rules",
    "report": "client.commands.reporting:report",
    "standing": "client.commands.reporting:standing",
    "alarms": "client.commands.alarms:alarms",
    "keys": "client.commands.keys:keys",
    "devices": "client.commands.devices:devices",
    "link": "client.commands.devices:link",
    "trust": "client.commands.trust:trust",
    "requests": "client.commands.people:requests",
    "reachable": "client.commands.asking:reachable",
    "ask": "client.commands.asking:ask",
    "asked": "client.commands.asking:asked",
    "contacts": "client.commands.people:contacts",
    "block": "client.commands.people:block",
    "unblock": "client.commands.people:unblock",
    "franking": "client.commands.franking:franking",
    "verify": "client.commands.verifying:verify_file",
    "doctor": "client.commands.account:doctor",
    "delete-service-data": "client.commands.account:delete_service_data",
    "daemon": "client.commands.daemon:daemon",
    "schema": "client.commands.daemon:schema",
    "serve": "client.web.cli:serve",
    "demo": "lab.cli:demo",
    "lab": "lab.spam.cli:lab",
    "authority": "identity.authority.cli:authority",
    "delivery": "delivery_service.cli:delivery",
}


class Composed(click.Group):
    """A group whose commands are found by the table above; without a command's name, it is `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in `run` unless a command, help or the version is asked for."""
        if not args or (args[0].startswith("-") and args[0] not in (*ctx.help_option_names, "--version")):
            args.insert(0, "run")
        return super().parse_args(ctx, args)

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
