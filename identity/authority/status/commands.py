"""The operator's commands about revocation: `authority revoke`, `port-out` and `revocations`, beside a running one."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from identity.authority.errors import AuthorityError
from identity.authority.folder import open_store
from identity.authority.keys import have_keys
from identity.authority.status.revocations import REASONS, Revocation, end_tokens, remove, revocations, revoke_number
from identity.authority.store import AuthorityStore
from identity.authority.tokens.folder import FOLDER, open_token_store
from identity.errors import NumberError
from identity.number import TelephoneNumber
from identity.status.revocation import Reason

REASON_NAMES = tuple(reason.value for reason in REASONS)


def revoke_certificate(data_dir: Path, fingerprint: str, reason: str) -> None:
    """Withdraw one certificate by the SHA-256 of its DER, in hexadecimal."""
    named = _fingerprint(fingerprint)
    with _authority(data_dir) as store:
        done = remove(store, named, Reason(reason), int(time.time()))
    click.echo(f"Revoked {_line(done)}. Devices hear of it with the next list, within a quarter of an hour.")


def port_out(data_dir: Path, number: str) -> None:
    """Let a number go to somebody else: nothing of its holder so far counts, and only a new code proves it."""
    moved, now = _number(number), int(time.time())
    with _explained():
        proofs, done = _forget_proofs(data_dir, moved, now), _revoke_all(data_dir, moved, now)
    if proofs is None and done is None:
        raise click.ClickException(f"{data_dir} has no authority yet; `authority serve` makes one")
    for each in done or ():
        click.echo(f"Revoked {_line(each)}")
    if done is not None:
        click.echo(f"{moved} has no certificate any more. Whoever holds it now proves it by a new code.")
    if proofs is None:
        click.echo("The token authority is elsewhere: run the same command there, or old proofs go on counting.")
    else:
        click.echo(f"The token authority has forgotten what {_counted(proofs, 'key')} had proved.")


def list_revocations(data_dir: Path) -> None:
    """Print what is on the list, the newest first."""
    with _authority(data_dir) as store:
        found = revocations(store, int(time.time()))
    for each in found:
        click.echo(_line(each))
    if not found:
        click.echo("No certificate is revoked.")


def _revoke_all(data_dir: Path, number: TelephoneNumber, now: int) -> list[Revocation] | None:
    if not have_keys(data_dir):
        return None
    with _authority(data_dir) as store:
        end_tokens(store, number.digits, now)
        return revoke_number(store, number.digits, Reason.privilege_withdrawn, now)


def _forget_proofs(data_dir: Path, number: TelephoneNumber, now: int) -> int | None:
    """How many keys rested on a proof; None where the token authority is not."""
    if not have_keys(data_dir / FOLDER):
        return None
    tokens = open_token_store(data_dir)
    try:
        with tokens.transaction():
            return tokens.forget_number(number, now)
    finally:
        tokens.close()


@contextmanager
def _authority(data_dir: Path) -> Iterator[AuthorityStore]:
    """The store in one transaction, which a running authority sees at its next step."""
    with _explained():
        store = open_store(data_dir)
        try:
            with store.transaction():
                yield store
        finally:
            store.close()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except AuthorityError as error:
        raise click.ClickException(str(error)) from error


def _fingerprint(text: str) -> bytes:
    digits = text.replace(":", "").lower()
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise click.UsageError("name a certificate by the SHA-256 of its DER: 64 hexadecimal digits")
    return bytes.fromhex(digits)


def _number(text: str) -> TelephoneNumber:
    try:
        return TelephoneNumber.parse(text)
    except NumberError as error:
        raise click.UsageError(str(error)) from error


def _line(each: Revocation) -> str:
    at = datetime.fromtimestamp(each.revoked_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{each.fingerprint.hex()}  {at}  {each.reason.value}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
