"""The client's commands; `commands` is what the `ringtrue` command composes."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path

import click

from client.doctor import Doctor
from client.enrolling import enrol
from client.errors import AccountError, RateLimitedError, UnreachableError
from client.events import Event, Trouble
from client.home import Home
from client.proof import ProofError, export, verify
from client.rendering import tell_chat, tell_exported, tell_message
from client.session import Session
from client.terminal import Terminal, account_command
from identity.authority.wire import ChallengeOpened
from identity.binding import Verdict
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

AUTHORITY = "http://127.0.0.1:8441"
DELIVERY = "http://127.0.0.1:8442"
ROWS_AT_ONCE = 1000
EXIT_NETWORK, EXIT_TIMED_OUT, EXIT_REFUSED, EXIT_UNDECIDED = 6, 7, 3, 4
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


@click.group()
def chat() -> None:
    """Create and list chats."""


@chat.command("new")
@click.argument("name")
@click.argument("numbers", nargs=-1, required=True)
@account_command
async def chat_new(terminal: Terminal, name: str, numbers: Sequence[str]) -> None:
    """Create the chat NAME with the people of NUMBERS."""
    people = [TelephoneNumber.parse(number) for number in numbers]
    async with _session(terminal) as session:
        tell_chat(terminal, await session.create_chat(name, people))


@chat.command("list")
@account_command
async def chat_list(terminal: Terminal) -> None:
    """List all chats."""
    async with _session(terminal) as session:
        await _sync_if_possible(terminal, session)
        for each in await session.chats():
            tell_chat(terminal, each)


@click.command()
@click.argument("chat_name", metavar="CHAT")
@click.argument("text")
@account_command
async def send(terminal: Terminal, chat_name: str, text: str) -> None:
    """Send TEXT, or standard input if TEXT is -, to CHAT."""
    body = sys.stdin.buffer.read().decode("utf-8", "replace") if text == "-" else text
    async with _session(terminal) as session:
        await _sync_if_possible(terminal, session)
        message = await session.send((await session.find_chat(chat_name)).group_id, body)
    tell_message(terminal, message)
    if message.state == "failed":
        terminal.fail("refused", message.reason or "the service refused the message", "", 1)
    if message.state in ("queued", "sending"):
        terminal.fail(
            "not-sent", "the message waits on this device", "It goes out with the next command.", EXIT_NETWORK
        )


@click.command()
@click.option("--follow", is_flag=True, help="Keep running and show messages as they come.")
@click.option("--max", "limit", type=click.IntRange(1), help="End after so many rows.")
@click.option("--timeout", type=click.FloatRange(0), help="With --follow: end after so many seconds, with exit code 7.")
@account_command
async def receive(terminal: Terminal, follow: bool, limit: int | None, timeout: float | None) -> None:
    """Fetch what is new, verify it and show it."""
    async with _session(terminal) as session:
        if not follow:
            try:
                await _sync(terminal, session)
            finally:  # what has been received is shown, whatever else went wrong
                await _tell_new(terminal, session, limit)
            return
        try:
            async with asyncio.timeout(timeout):
                await _follow(terminal, session, limit)
        except TimeoutError:
            terminal.fail("timed-out", f"nothing more came within {timeout:g} s", "", EXIT_TIMED_OUT)


@click.command()
@click.argument("chat_name", metavar="CHAT")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many rows at most.")
@account_command
async def history(terminal: Terminal, chat_name: str, limit: int) -> None:
    """Show the last messages of CHAT again."""
    async with _session(terminal) as session:
        for message in await session.history((await session.find_chat(chat_name)).group_id, limit):
            tell_message(terminal, message)


@click.command()
@click.argument("chat_name", metavar="CHAT")
@account_command
async def members(terminal: Terminal, chat_name: str) -> None:
    """List the people in CHAT, one line for each device."""
    async with _session(terminal) as session:
        await _sync_if_possible(terminal, session)
        for number in await session.members((await session.find_chat(chat_name)).group_id):
            you = number == session.account.number
            terminal.tell("member", f"{number}{'  (you)' if you else ''}", number=number.e164, you=you)


@click.command()
@click.argument("chat_name", metavar="CHAT")
@click.argument("number")
@account_command
async def add(terminal: Terminal, chat_name: str, number: str) -> None:
    """Add the devices of NUMBER to CHAT."""
    person = TelephoneNumber.parse(number)
    async with _session(terminal) as session:
        await _sync(terminal, session)
        await session.add((await session.find_chat(chat_name)).group_id, [person])
    terminal.tell("added", f"{person} is in {chat_name} now.", number=person.e164, chat=chat_name)


@click.command()
@click.argument("chat_name", metavar="CHAT")
@click.argument("number")
@account_command
async def remove(terminal: Terminal, chat_name: str, number: str) -> None:
    """Remove every device of NUMBER from CHAT."""
    person = TelephoneNumber.parse(number)
    async with _session(terminal) as session:
        await _sync(terminal, session)
        await session.remove((await session.find_chat(chat_name)).group_id, [person])
    terminal.tell("removed", f"{person} is no longer in {chat_name}.", number=person.e164, chat=chat_name)


@click.command()
@click.argument("chat_name", metavar="CHAT")
@account_command
async def leave(terminal: Terminal, chat_name: str) -> None:
    """Leave CHAT; another member's program completes it."""
    async with _session(terminal) as session:
        await _sync(terminal, session)
        found = await session.find_chat(chat_name)
        await session.leave(found.group_id)
        tell_chat(terminal, await session.find_chat(found.group_id.hex()))


@click.command("export")
@click.argument("message_id")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="File instead of stdout.")
@account_command
async def export_message(terminal: Terminal, message_id: str, output: Path | None) -> None:
    """Write the message MESSAGE_ID with its proof, for `ringtrue verify`."""
    async with _session(terminal) as session:
        file = await session.worker.run(lambda: export(session.steps.history, session.steps.history.find(message_id)))
    if output is None:
        click.echo(file.decode("ascii"), nl=False)
        return
    output.write_bytes(file)
    terminal.tell("exported", f"Written to {output}.", file=str(output))


@click.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--anchors", type=_FILE, help="PEM file of roots to trust, instead of the account's.")
@account_command
async def verify_file(terminal: Terminal, file: Path, anchors: Path | None) -> None:
    """Verify an exported message offline: exit code 0 verified, 3 failed, 4 could not be checked."""
    octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    source = anchors or Home(terminal.home).anchors
    if not source.exists():
        raise ProofError(
            "there is no trust list to verify with", code="no-anchors", hint="Give one with --anchors FILE."
        )
    verification, text = verify(octets, TrustAnchors.from_pem(source.read_bytes()))
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


commands: tuple[click.Command, ...] = (
    enroll,
    chat,
    send,
    receive,
    history,
    members,
    add,
    remove,
    leave,
    export_message,
    verify_file,
    doctor,
)


def _session(terminal: Terminal) -> AbstractAsyncContextManager[Session]:
    return Session.open(terminal.home, terminal.passphrase())


def _prompt_for_code(number: TelephoneNumber) -> str:
    try:
        return str(click.prompt(f"Code sent to {number}", err=True)).strip()
    except click.Abort:
        raise CodeNeededError(f"a code was sent to {number}") from None


async def _sync_if_possible(terminal: Terminal, session: Session) -> None:
    try:
        await _sync(terminal, session)
    except (UnreachableError, RateLimitedError) as error:
        terminal.hint(f"Not up to date: {error}")


async def _sync(terminal: Terminal, session: Session) -> None:
    for event in await session.receive():
        _hint(terminal, event)


async def _tell_new(terminal: Terminal, session: Session, limit: int | None) -> int:
    rows = await session.worker.run(session.steps.history.unseen, limit or ROWS_AT_ONCE)
    for row in rows:
        tell_message(terminal, row)
    if rows:  # only now: a row that was not put out yet must not count as shown
        await session.worker.run(session.steps.history.mark_shown, rows[-1].id)
    return len(rows)


async def _follow(terminal: Terminal, session: Session, limit: int | None) -> None:
    shown = await _tell_new(terminal, session, limit)
    async with aclosing(session.follow()) as events:
        while limit is None or shown < limit:
            _hint(terminal, await anext(events))
            shown += await _tell_new(terminal, session, None if limit is None else limit - shown)


def _hint(terminal: Terminal, event: Event) -> None:
    if isinstance(event, Trouble):
        terminal.hint(f"Trouble: {event.reason}")
