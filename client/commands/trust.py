"""Commands about trust: whose certificates count for this account."""

import sys
from pathlib import Path
from typing import Any

import click

from client.commands.opened import opened
from client.credentials.trust_words import anchor_words, footing_words, own_trouble, policy_lines, trust_words
from client.desk.api import Api
from client.desk.trust_views import TrustView
from client.errors import TrustError
from client.terminal.rendering import show
from client.terminal.voices import Listing, Terminal, account_command

PEM_LIMIT = 524_288  # octets of a file: what a request to the daemon can hold
FINGERPRINT = click.argument("fingerprint")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
YES = click.option("--yes", is_flag=True, help="Ask nothing.")


@click.group(cls=Listing)
def trust() -> None:
    """Decide whose certificates count: roots, pinned issuers, and a policy."""


@trust.command("list")
@account_command
async def trust_list(terminal: Terminal) -> None:
    """List the roots, what is pinned below them, and the policy."""
    async with opened(terminal) as api:
        _tell(terminal, await api.trust.show())


@trust.command("show")
@FINGERPRINT
@account_command
async def trust_show(terminal: Terminal, fingerprint: str) -> None:
    """Show the root whose FINGERPRINT begins so, and which chats stand on it alone."""
    async with opened(terminal) as api:
        footing = await api.trust.footing(fingerprint)
        found = await api.trust.show()
    anchor = next(each for each in found.anchors if each.fingerprint == footing.fingerprint)
    show(terminal, "anchor", anchor_words(anchor), anchor)
    depends = ", ".join(footing.chats) or "no chat"
    show(terminal, "footing", f"  needed by    {depends}{' and by your own certificate' * footing.own}", footing)


@trust.command("import")
@click.argument("file", type=FILE)
@YES
@account_command
async def trust_import(terminal: Terminal, file: Path, yes: bool) -> None:
    """Show the roots in FILE (PEM), ask about each, and trust those that you agree to."""
    pem = _read(file)
    async with opened(terminal) as api:
        agreed = []
        for anchor in await api.trust.examine(pem):
            show(terminal, "anchor", anchor_words(anchor), anchor)
            if not anchor.known and (yes or _agreed(f"Trust {anchor.subject}, for all numbers that it is bounded to?")):
                agreed.append(anchor.fingerprint)
        if not agreed:
            terminal.hint("Nothing was imported.")
            return
        _tell(terminal, await api.trust.add(pem, agreed))


@trust.command("remove")
@FINGERPRINT
@YES
@click.option("--last", is_flag=True, help="Remove it even if it is the last one.")
@account_command
async def trust_remove(terminal: Terminal, fingerprint: str, yes: bool, last: bool) -> None:
    """Trust the root whose FINGERPRINT begins so no more; first says which chats lose their footing."""
    async with opened(terminal) as api:
        footing = await api.trust.footing(fingerprint)
        terminal.hint(footing_words(footing))
        if not yes and not _agreed("Remove it?"):
            terminal.hint("Nothing was removed.")
            return
        _tell(terminal, await api.trust.remove(footing.fingerprint, last))


@trust.command("pin")
@click.argument("file", type=FILE, required=False)
@account_command
async def trust_pin(terminal: Terminal, file: Path | None) -> None:
    """Let below its root only the issuer in FILE (PEM) count, beside others that are pinned; without FILE, your own.

    Whom other issuers below that root have certified counts no more: what they send is held back.
    """
    async with opened(terminal) as api:
        _tell(terminal, await api.trust.pin("" if file is None else _read(file)))


@trust.command("unpin")
@click.argument("issuer")
@account_command
async def trust_unpin(terminal: Terminal, issuer: str) -> None:
    """Take back the pin of the ISSUER whose digits begin so; without any pin, every issuer below the root counts."""
    async with opened(terminal) as api:
        _tell(terminal, await api.trust.unpin(issuer))


@trust.command("policy")
@click.option("--rsa-issuers/--no-rsa-issuers", default=None, help="Issuers may sign with RSA as well.")
@click.option("--code-leaves/--no-code-leaves", default=None, help="A carrier may vouch by its code alone.")
@click.option("--unknown-policies/--no-unknown-policies", default=None, help="Certificate policies may be unknown.")
@click.option("--uri-identities/--no-uri-identities", default=None, help="Participants without a number may sign.")
@click.option(
    "--code-parents",
    type=click.Choice(["admit", "refuse", "directory"]),
    help="Which numbers a carrier's code may delegate: any, none, or those of your directory.",
)
@click.option("--logs-required", type=click.IntRange(0, 16), help="How many known logs must vouch for a certificate.")
@account_command
async def trust_policy(
    terminal: Terminal,
    rsa_issuers: bool | None,
    code_leaves: bool | None,
    unknown_policies: bool | None,
    uri_identities: bool | None,
    code_parents: str | None,
    logs_required: int | None,
) -> None:
    """Show the policy, or set what is given of it."""
    asked = {
        "non_ecdsa_issuers": rsa_issuers,
        "code_leaves": code_leaves,
        "unknown_policies": unknown_policies,
        "uri_identities": uri_identities,
        "code_parents": code_parents,
        "scts": logs_required,
    }
    stated = {name: value for name, value in asked.items() if value is not None}
    async with opened(terminal) as api:
        _tell_policy(terminal, await _policy(api, stated))


@trust.command("code")
@click.argument("code")
@click.argument("prefixes", metavar="PREFIX...", nargs=-1)
@account_command
async def trust_code(terminal: Terminal, code: str, prefixes: tuple[str, ...]) -> None:
    """Enter the numbers of a carrier's CODE into your directory, by prefixes; without any, strike it out."""
    async with opened(terminal) as api:
        _tell_policy(terminal, await api.trust.code(code, list(prefixes)))


@trust.command("log")
@click.argument("name")
@click.argument("file", type=FILE, required=False)
@account_command
async def trust_log(terminal: Terminal, name: str, file: Path | None) -> None:
    """Know a log by NAME, with its public key in FILE (PEM); without FILE, forget it."""
    async with opened(terminal) as api:
        _tell_policy(terminal, await api.trust.log(name, "" if file is None else _read(file)))


async def _policy(api: Api, stated: dict[str, Any]) -> TrustView:
    return await api.trust.policy(**stated) if stated else await api.trust.show()


def _tell(terminal: Terminal, found: TrustView) -> None:
    show(terminal, "trust", f"The roots:\n{trust_words(found)}", found)


def _tell_policy(terminal: Terminal, found: TrustView) -> None:
    show(terminal, "trust", "\n".join(["The policy:", *policy_lines(found), *own_trouble(found)]), found)


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise TrustError("nobody agreed to it", code="trust-not-agreed", hint="Answer the question, or add --yes.")
    return click.confirm(question, err=True)


def _read(file: Path) -> str:
    if file.stat().st_size > PEM_LIMIT:
        raise TrustError(f"{file} has more than {PEM_LIMIT} octets", code="too-large")
    return file.read_bytes().decode("utf-8", "replace")
