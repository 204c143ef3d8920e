"""The commands about the account itself; those that use it are in client.commands."""

from contextlib import aclosing
from pathlib import Path

import click

from client.commands.opened import opened
from client.credentials.acme_account import Certifier
from client.doctor import Doctor
from client.enrolling import enrol
from client.errors import AccountError, NoMessagesError
from client.records.service_facts import kept_for
from client.session import Session
from client.storage.home import AUTHORITY, DELIVERY, Home
from client.terminal.ending_words import deleted_lines
from client.terminal.rendering import show
from client.terminal.voices import Terminal, account_command
from identity.authority.wire import CODE_DIGITS, ChallengeOpened
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

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
@click.option("--acme-directory", default="", help="The ACME server that certifies, if it is not the authority's own.")
@click.option("--token-authority", default="", help="Who sends the code, if it is not whom the ACME server names.")
@click.option("--accept-terms", is_flag=True, help="You have read the ACME server's terms of service, and agree.")
@account_command
async def enroll(
    terminal: Terminal,
    number: str,
    authority: str,
    delivery: str,
    code: str | None,
    code_file: Path | None,
    anchors: Path | None,
    acme_directory: str,
    token_authority: str,
    accept_terms: bool,
) -> None:
    """Prove that NUMBER is yours and make it usable on this device.

    If another device of yours has it, run `ringtrue devices add` there and `ringtrue link CODE` here instead.

    A code is sent to the number. For it a token authority states that the number is yours, and a certification
    authority certifies a key of this device by ACME (RFC 8555, RFC 9448). The service at --authority is both, or names
    the other one. To have another ACME server certify, give --acme-directory: it has to take the identifier TNAuthList,
    and its root has to be among --anchors.

    If it is interrupted, run it again: a code that was sent is asked for again, not sent again.
    """
    owner = TelephoneNumber.parse(number)
    given = None if code is None else _digits(code)

    async def ask_code(_: ChallengeOpened) -> str:
        if given is not None:
            return given
        if code_file is not None:
            return _digits(code_file.read_text(encoding="ascii", errors="replace"))
        return _prompt_for_code(owner)

    passphrase = terminal.new_passphrase()
    trusted = None if anchors is None else TrustAnchors.from_pem(anchors.read_bytes())
    certifier = Certifier(acme_directory, token_authority, accept_terms)
    account = await enrol(
        terminal.home,
        passphrase,
        owner,
        authority=authority,
        delivery=delivery,
        ask_code=ask_code,
        anchors=trusted,
        certifier=None if certifier == Certifier() else certifier,
    )
    async with Session.open(terminal.home, passphrase) as session:
        await session.maintain()
        facts = await session.worker.run(lambda: session.steps.facts.known)
    roots = TrustAnchors.from_pem(account.anchors).fingerprint.hex()
    words = f"{owner} is ready on this device.\nIt trusts the roots with the fingerprint {roots}."
    if not account.sends_messages():
        words += f"\nIts certificate says that it sends no messages. {NoMessagesError.hint}"
    if facts is not None:
        words += f"\n{kept_for(facts.retention)}"
    terminal.tell("enrolled", words, number=owner.e164, home=str(terminal.home), anchors=roots)


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


@click.command("delete-service-data")
@click.option("--number", is_flag=True, help="Also how the number may be reached, and who asked to reach it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@account_command
async def delete_service_data(terminal: Terminal, number: bool, yes: bool) -> None:
    """Delete what the delivery service keeps for this device: key packages, invitations, its list of sessions.

    Nobody can add this device to a chat until it is used again. With --number, whom you let through and whom you
    blocked is forgotten there as well, and everybody can write again.
    """
    if not yes and not click.confirm("Delete what the service keeps for this device?", err=True):
        return
    async with opened(terminal) as api:
        deleted = await api.device.delete_service_data(number)
    show(terminal, "deleted", "\n".join(deleted_lines(deleted)), deleted)


def _digits(code: str) -> str:
    digits = "".join(code.split())
    if len(digits) != CODE_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise click.UsageError(f"a code has {CODE_DIGITS} digits: look at the last one that came")
    return digits


def _prompt_for_code(number: TelephoneNumber) -> str:
    try:
        return str(click.prompt(f"Code sent to {number}", value_proc=_digits, err=True))
    except click.Abort:
        raise CodeNeededError(f"a code was sent to {number}") from None
