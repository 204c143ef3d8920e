"""Commands about admission rules: which they are, what they have hidden, and what others would have hidden."""

import sys
from pathlib import Path

import click

from client.commands.opened import opened
from client.defence.rule_words import (
    RESET,
    SAVED,
    change_words,
    count_words,
    in_force_words,
    listed_words,
    move_words,
    tried_words,
)
from client.defence.rules import default_toml, read_toml
from client.desk.lines import RulesText
from client.desk.rule_views import TrialView
from client.errors import RulesError
from client.terminal.rendering import show
from client.terminal.voices import Listing, Terminal, account_command

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group(cls=Listing)
def rules() -> None:
    """Decide where the chats and messages of others go."""


@rules.command("list")
@account_command
async def rules_list(terminal: Terminal) -> None:
    """List the rules in words, in their order: the first one that applies decides."""
    async with opened(terminal) as api:
        in_force = await api.admission.rules()
    terminal.hint(in_force_words(in_force))
    for place, rule in enumerate(in_force.rules, 1):
        show(terminal, "rule", f"{place}. {listed_words(rule)}", rule)


@rules.command("show")
@click.option("--default", "by_default", is_flag=True, help="Those that this program comes with.")
@account_command
async def rules_show(terminal: Terminal, by_default: bool) -> None:
    """Print the rules as TOML, to be changed and used."""
    if by_default:
        _put_out(terminal, RulesText(default_toml(), own=False))
        return
    async with opened(terminal) as api:
        in_force = await api.admission.rules()
    _put_out(terminal, RulesText(in_force.toml, own=in_force.saved is not None))


@rules.command("test")
@FILE
@account_command
async def rules_test(terminal: Terminal, file: Path) -> None:
    """Show what the rules in FILE would have put elsewhere, of all that has come; nothing is changed."""
    toml = read_toml(file)
    async with opened(terminal) as api:
        trial = await api.admission.test(toml)
    _tell_moves(terminal, trial)
    for change in trial.changes:
        show(terminal, "rule-change", change_words(change), change)


@rules.command("use")
@FILE
@click.option("--yes", is_flag=True, help="Ask nothing.")
@account_command
async def rules_use(terminal: Terminal, file: Path, yes: bool) -> None:
    """Decide with the rules in FILE about what comes from now on; first shows what they would have done so far."""
    toml = read_toml(file)
    async with opened(terminal) as api:
        _tell_moves(terminal, await api.admission.test(toml))
        if not yes and not _agreed():
            raise RulesError("nothing was saved", code="rules-not-agreed", hint="Answer the question, or add --yes.")
        show(terminal, "rules-saved", SAVED, await api.admission.use(toml))


@rules.command("reset")
@account_command
async def rules_reset(terminal: Terminal) -> None:
    """Decide with the rules that this program comes with."""
    async with opened(terminal) as api:
        show(terminal, "rules-saved", RESET, await api.admission.reset())


@rules.command("counts")
@account_command
async def rules_counts(terminal: Terminal) -> None:
    """Show how much each rule has hidden since this account exists."""
    async with opened(terminal) as api:
        counts = await api.admission.counts()
    for count in counts:
        show(terminal, "rule-count", count_words(count), count)
    if not counts:
        terminal.hint("Nothing was hidden so far.")


def _tell_moves(terminal: Terminal, trial: TrialView) -> None:
    terminal.hint(tried_words(trial))
    for move in trial.moves:
        show(terminal, "rule-moves", move_words(move), move)


def _put_out(terminal: Terminal, text: RulesText) -> None:
    terminal.tell("rules", text.toml.rstrip("\n"), toml=text.toml, own=text.own)


def _agreed() -> bool:
    return sys.stdin.isatty() and click.confirm("Use these rules from now on?", err=True)
