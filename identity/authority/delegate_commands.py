"""The commands `authority delegate …`: sub-issuers, and an authority that runs below another (RFC 9060)."""

import sys
import time
from pathlib import Path

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.delegated import ANSWER_LIMIT, grant, import_delegation, request_delegation
from identity.authority.serving import data_folder, explained
from identity.authority.tokens.commands import tn_auth_list
from identity.certificate_fields import certificate_tn_auth_list, validity
from identity.enrolment.delegation import DEPTH_LIMIT, SUB_ISSUER_LIFETIME, check_delegation_request
from identity.errors import CertificateError
from identity.prefixes import prefixes_of

DAY = 86_400  # seconds

_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group()
def delegate() -> None:
    """Certify other authorities for part of your numbers, or have your own certified by another."""


@delegate.command("request")
@click.option("--name", required=True, help="What the authority below is to be called.")
@click.option("--allow", "prefixes", metavar="PREFIX", multiple=True, help="Its numbers start so; may be repeated.")
@click.option("--code", "codes", metavar="CODE", multiple=True, help="It has this service provider code.")
@click.option(
    "--depth",
    type=click.IntRange(0, DEPTH_LIMIT - 1),
    default=0,
    show_default=True,
    help="Levels of further authorities below it.",
)
@data_folder
def request_one(name: str, prefixes: tuple[str, ...], codes: tuple[str, ...], depth: int, data_dir: Path) -> None:
    """Make a key in the data folder and print the request for it (PEM), for the authority above to answer.

    In a folder that has a certificate already, ask for the next one with the same key.
    """
    with explained():
        request = x509.load_der_x509_csr(request_delegation(data_dir, name, tn_auth_list(prefixes, codes), depth))
        sys.stdout.write(request.public_bytes(Encoding.PEM).decode("ascii"))


@delegate.command("issue")
@_FILE
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=SUB_ISSUER_LIFETIME // DAY,
    show_default=True,
    help="How long it is valid; never longer than your own.",
)
@click.option("--yes", is_flag=True, help="Ask nothing.")
@data_folder
def issue_one(file: Path, days: int, yes: bool, data_dir: Path) -> None:
    """Certify the authority whose request (PEM) is in FILE, and print its path: the certificate up to the root."""
    with explained():
        request = _request(file)
        asked = check_delegation_request(request)
        numbers = ", ".join(prefixes_of(asked.authority))
        click.echo(f"{asked.name!a} asks for {numbers}, with {asked.path_length} levels below it.", err=True)
        if not yes:
            click.confirm("Certify it? It can then certify any device for these numbers", abort=True, err=True)
        path = grant(data_dir, request, days * DAY, int(time.time()))
        click.echo(f"Certified until {_date(path.leaf)}, SHA-256 {path.fingerprint.hex()}.", err=True)
        sys.stdout.write(path.pem.decode("ascii"))


@delegate.command("import")
@_FILE
@data_folder
def import_one(file: Path, data_dir: Path) -> None:
    """Take the certificate in FILE (PEM, the whole path), so that `authority serve` runs below its issuer."""
    with explained():
        keys = import_delegation(data_dir, _read(file), int(time.time()))
        numbers = certificate_tn_auth_list(keys.issuer)
        assert numbers is not None, "import_delegation has checked it"
        click.echo(f"This authority may certify {', '.join(prefixes_of(numbers))} until {_date(keys.issuer)}.")


def _request(file: Path) -> bytes:
    try:
        return x509.load_pem_x509_csr(_read(file)).public_bytes(Encoding.DER)
    except ValueError as error:
        raise CertificateError("malformed", f"{file} is no certificate request in PEM") from error


def _read(file: Path) -> bytes:
    if file.stat().st_size > ANSWER_LIMIT:
        raise CertificateError("too-large", f"{file} has more than {ANSWER_LIMIT} octets")
    return file.read_bytes()


def _date(certificate: x509.Certificate) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(validity(certificate)[1]))
