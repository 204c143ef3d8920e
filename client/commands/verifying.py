"""The command that verifies what is in a file: an exported message or report, or any PASSporT."""

import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import click

from client.credentials.anchor_files import read_trust
from client.defence.report_file import read_report
from client.proof import ProofError, verify
from client.storage.home import Home
from client.terminal.rendering import tell_exported, tell_read_report
from client.terminal.token_rendering import tell_token
from client.terminal.voices import Terminal, account_command
from client.tokens import find_tokens, judge_token, read_chain, read_crl
from identity.attestation import Expected, Identity
from identity.binding import Verdict
from identity.certificates import ChainVerifier, TrustAnchors
from identity.fetching import fetch_chain
from identity.number import TelephoneNumber
from identity.passport_kinds import READ
from identity.trust import TrustPolicy

EXIT_REFUSED, EXIT_UNDECIDED = 3, 4
_EXIT = {Verdict.FAILED: EXIT_REFUSED, Verdict.UNSIGNED: EXIT_REFUSED, Verdict.UNDECIDED: EXIT_UNDECIDED}
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TYPES = sorted(READ - {""})
WITHOUT_TYPE = "none"


@click.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--anchors", type=_FILE, help="PEM file of roots to trust, instead of the account's.")
@click.option("--content", type=_FILE, help="The octets that a token's msgi must cover.")
@click.option("--chain", type=_FILE, help="The signer's certificates, PEM, the signer's own first; one may be DER.")
@click.option(
    "--crl", "crls", type=_FILE, multiple=True, help="A list of revocations, PEM or DER, of the signer's issuer."
)
@click.option("--ppt", "kinds", type=click.Choice([*_TYPES, WITHOUT_TYPE]), multiple=True, help="Take these types too.")
@click.option("--orig", metavar="NUMBER_OR_URI", help="Who the signalling says is the sender.")
@click.option("--dest", "dests", metavar="NUMBER_OR_URI", multiple=True, help="One's own number or URI; any may match.")
@click.option(
    "--at",
    "at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
    metavar="TIME",
    help="When it arrived, such as 2026-11-25T18:05:00Z; by default now.",
)
@click.option("--uris", is_flag=True, help="Take senders without a number, by the URI in their certificate.")
@click.option("--fetch", is_flag=True, help="Fetch the certificates that a token names, which tells its issuer.")
@account_command
async def verify_file(
    terminal: Terminal,
    file: Path,
    anchors: Path | None,
    content: Path | None,
    chain: Path | None,
    crls: tuple[Path, ...],
    kinds: tuple[str, ...],
    orig: str | None,
    dests: tuple[str, ...],
    at: datetime | None,
    uris: bool,
    fetch: bool,
) -> None:
    """Verify an exported message or report, a PASSporT, or SIP Identity header fields; "-" reads what is piped in.

    Every numbered check is told with what it compared. Nothing is fetched unless --fetch is given. Exit code 0: all
    is verified; 3: something failed; 4: something could not be checked.
    """
    octets = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    roots = _roots(terminal, anchors, TrustPolicy(uri_identities=uris))
    if octets.lstrip()[:1] == b"{":
        verdicts = [_verify_ours(terminal, octets, roots)]
    else:
        expected = Expected(
            arrived=int(time.time() if at is None else at.timestamp()),
            orig=None if orig is None else _identity(orig),
            dest=frozenset(map(_identity, dests)),
            chain=() if chain is None else read_chain(chain.read_bytes()),
            kinds=frozenset({"msg", *("" if each == WITHOUT_TYPE else each for each in kinds)}),
        )
        octets_covered = None if content is None else content.read_bytes()
        verdicts, chains, lists = [], ChainVerifier(roots), [read_crl(crl.read_bytes()) for crl in crls]
        for found in find_tokens(octets):
            judged = await judge_token(found, octets_covered, expected, chains, fetch_chain if fetch else None, lists)
            tell_token(terminal, judged)
            verdicts.append(judged.verification.verdict)
    codes = {_EXIT.get(verdict, 0) for verdict in verdicts}
    exit_code = EXIT_REFUSED if EXIT_REFUSED in codes else max(codes)
    if exit_code:
        raise click.exceptions.Exit(exit_code)


def _verify_ours(terminal: Terminal, octets: bytes, roots: TrustAnchors) -> Verdict:
    reported = read_report(octets, roots)
    if reported is not None:
        tell_read_report(terminal, reported)
        return Verdict.VERIFIED if reported.verification.accepted else Verdict.FAILED
    verification, text = verify(octets, roots)
    tell_exported(terminal, verification, text)
    return verification.verdict


def _roots(terminal: Terminal, anchors: Path | None, policy: TrustPolicy) -> TrustAnchors:
    home = Home(terminal.home)
    source = anchors or home.anchors
    if not source.exists():
        raise ProofError(
            "there is no trust list to verify with", code="no-anchors", hint="Give one with --anchors FILE."
        )
    if anchors is not None:
        return TrustAnchors.from_pem(anchors.read_bytes(), policy)
    kept = read_trust(home)
    uris = kept.policy.uri_identities or policy.uri_identities
    return replace(kept, policy=replace(kept.policy, uri_identities=uris))


def _identity(text: str) -> Identity:
    return text if ":" in text else TelephoneNumber.parse(text)
