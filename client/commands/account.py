"""The commands about the account itself; those that use it are in client.commands."""

import sys
from contextlib import aclosing
from pathlib import Path

import click

from client.defence.report_file import read_report
from client.doctor import Doctor
from client.enrolling import enrol
from client.errors import AccountError
from client.home import AUTHORITY, DELIVERY, Home
from client.proof import ProofError, verify
from client.rendering import tell_exported, tell_read_report
from client.session import Session
from client.terminal import Terminal, account_command
from identity.authority.wire import ChallengeOpened
from identity.binding import Verdict
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

EXIT_REFUSED, EXIT_UNDECIDED = 3, 4
_VERIFY_EXIT = {Verdict.FAILED: EXIT_REFUSED, Verdict.UNSIGNED: EXIT_REFUSED, Verdict.UNDECIDED: EXIT_UNDECIDED}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class CodeNeededError(AccountError):
    """A code was sent, and there is nobody to ask for it."""

    code = "code-needed"
    hint = "Run the same command again with --code-file FILE (or --code CODE)."


@click.command()
@click.argument("number")
@click.option("--authority", default=AUTHORITY, show_default=True, help="The service that certifies numbers.")
@click.option("--delivery", default=DELIVERY, show_default=True, help="The service that carries messages.")
@click.option("--code", help="The code that was sent to the number.")
@click.option("--code-file", type=_FILE, help="Read the code from this file.")
@click.option("--anchors", type=_FILE, help="PEM file of roots to trust, instead of the authority's own word.")
@account_command
async def enroll(
    terminal: Terminal,
    number: str,
    authority: str,
    delivery: str,
    code: str | None,
    code_file: Path | None,
    anchors: Path | None,
) -> None:
    """Prove that NUMBER is yours and make it usable on this device."""
    owner = TelephoneNumber.parse(number)

    async def ask_code(_: ChallengeOpened) -> str:
        if code is not None:
            return code.strip()
        if code_file is not None:
            return code_file.read_text(encoding="ascii", errors="replace").strip()
        return _prompt_for_code(owner)

    passphrase = terminal.new_passphrase()
    trusted = None if anchors is None else TrustAnchors.from_pem(anchors.read_bytes())
    account = await enrol(
        terminal.home, passphrase, owner, authority=authority, delivery=delivery, ask_code=ask_code, anchors=trusted
    )
    async with Session.open(terminal.home, passphrase) as session:
        await session.maintain()
    roots = TrustAnchors.from_pem(account.anchors).fingerprint.hex()
    words = f"{owner} is ready on this device.\nIt trusts the roots with the fingerprint {roots}."
    terminal.tell("enrolled", words, number=owner.e164, home=str(terminal.home), anchors=roots)


@click.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--anchors", type=_FILE, help="PEM file of roots to trust, instead of the account's.")
@account_command
async def verify_file(terminal: Terminal, file: Path, anchors: Path | None) -> None:
    """Verify an exported message or report offline: exit code 0 verified, 3 failed, 4 could not be checked."""
    octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    source = anchors or Home(terminal.home).anchors
    if not source.exists():
        raise ProofError(
            "there is no trust list to verify with", code="no-anchors", hint="Give one with --anchors FILE."
        )
    roots = TrustAnchors.from_pem(source.read_bytes())
    reported = read_report(octets, roots)
    if reported is not None:
        tell_read_report(terminal, reported)
        if not reported.verification.accepted:
            raise click.exceptions.Exit(_VERIFY_EXIT[Verdict.FAILED])
        return
    verification, text = verify(octets, roots)
    tell_exported(terminal, verification, text)
    exit_code = _VERIFY_EXIT.get(verification.verdict, 0)
    if exit_code:
        raise click.exceptions.Exit(exit_code)


@click.command()
@click.option("--authority", default=AUTHORITY, show_default=True, help="Looked at where there is no account yet.")
@click.option("--delivery", default=DELIVERY, show_default=True, help="Looked at where there is no account yet.")
@account_command
async def doctor(terminal: Terminal, authority: str, delivery: str) -> None:
    """Look at the account, the services, the clock and the terminal, and say what to do about trouble."""
    right = True
    async with aclosing(Doctor(Home(terminal.home), terminal.passphrase, authority, delivery).examine()) as findings:
        async for each in findings:
            right &= each.right
            words = f"{'ok     ' if each.right else 'TROUBLE'} {each.subject}: {each.words}"
            terminal.tell("finding", words, subject=each.subject, right=each.right, detail=each.words)
    if not right:
        raise click.exceptions.Exit(1)


def _prompt_for_code(number: TelephoneNumber) -> str:
    try:
        return str(click.prompt(f"Code sent to {number}", err=True)).strip()
    except click.Abort:
        raise CodeNeededError(f"a code was sent to {number}") from None
