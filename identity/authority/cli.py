"""The commands `authority …`: serving is in `serving.py`, what an operator does beside it is here."""

import sys
from pathlib import Path

import click

from identity.authority.delegate_commands import delegate
from identity.authority.folder import read_anchors
from identity.authority.log.folder import FOLDER, read_log_key
from identity.authority.marking_commands import numbers
from identity.authority.report_commands import clear_reports, list_reports, show_reports
from identity.authority.serving import data_folder, explained, serve, serve_certificates, serve_log, serve_tokens
from identity.authority.signing.commands import serve_signing
from identity.authority.status.commands import REASON_NAMES, list_revocations, port_out, revoke_certificate
from identity.authority.tokens.commands import assert_right
from identity.authority.tokens.folder import read_token_roots


@click.group()
def authority() -> None:
    """Certify telephone numbers: for development and pilots."""


for command in (delegate, serve, serve_tokens, serve_certificates, serve_log, serve_signing, numbers, assert_right):
    authority.add_command(command)


@authority.command()
@data_folder
def anchors(data_dir: Path) -> None:
    """Print the root certificates that clients install, as PEM."""
    with explained():
        sys.stdout.write(read_anchors(data_dir).decode("ascii"))


@authority.command("token-anchors")
@data_folder
def token_anchors(data_dir: Path) -> None:
    """Print the roots of the token authority, which a certification authority elsewhere takes tokens under, as PEM."""
    with explained():
        sys.stdout.write(read_token_roots(data_dir).decode("ascii"))


@authority.command("log-key")
@data_folder
def log_key(data_dir: Path) -> None:
    """Print the public key of the log that runs here, which people know it by (ringtrue trust log), as PEM."""
    with explained():
        sys.stdout.write(read_log_key(data_dir / FOLDER).decode("ascii"))


@authority.group()
def reports() -> None:
    """See what was reported, hear appeals, and end a status; the authority may be running."""


@reports.command("list")
@data_folder
def reports_list(data_dir: Path) -> None:
    """List every number with a status, those that were appealed first."""
    list_reports(data_dir)


@reports.command("show")
@click.argument("number")
@data_folder
def reports_show(data_dir: Path, number: str) -> None:
    """Show what was reported of NUMBER, message by message, and its appeal."""
    show_reports(data_dir, number)


@reports.command("clear")
@click.argument("number")
@data_folder
def reports_clear(data_dir: Path, number: str) -> None:
    """End the status of NUMBER; the reports of whoever reported it do not count for a while."""
    clear_reports(data_dir, number)


@authority.command("revoke")
@click.argument("fingerprint")
@click.option(
    "--reason",
    type=click.Choice(REASON_NAMES),
    default=REASON_NAMES[0],
    show_default=True,
    help="Why (RFC 5280). keyCompromise also ends what was signed before.",
)
@data_folder
def revoke_one(data_dir: Path, fingerprint: str, reason: str) -> None:
    """Revoke the certificate with this SHA-256; the authority may be running."""
    revoke_certificate(data_dir, fingerprint, reason)


@authority.command("port-out")
@click.argument("number")
@data_folder
def port_out_number(data_dir: Path, number: str) -> None:
    """Let NUMBER go to somebody else: revoke all its certificates; only a new code proves it again."""
    port_out(data_dir, number)


@authority.command("revocations")
@data_folder
def revocations_list(data_dir: Path) -> None:
    """List the certificates that are revoked, the newest first."""
    list_revocations(data_dir)
