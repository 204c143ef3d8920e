"""The command `authority serve-signing`."""

import ipaddress
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from starlette.applications import Starlette

from identity.authority.serving import run
from identity.authority.signing.app import client_digest, create_app
from identity.authority.signing.signer import Signer
from identity.authority.signing.verifier import CallVerifier
from identity.certificates import ChainVerifier, TrustAnchors
from identity.fetching import fetch_chain

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("serve-signing")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; another needs --clients.")
@click.option("--port", default=8445, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--key", type=_FILE, help="The signer's P-256 key, PEM; without it, nothing is signed, only verified.")
@click.option("--chain", type=_FILE, help="The key's certificates, PEM, its own first.")
@click.option("--x5u", metavar="URL", help="Where the chain is published, for tokens to name.")
@click.option("--allow", metavar="PREFIX", multiple=True, help="Sign only for numbers that start so; may be repeated.")
@click.option("--anchors", type=_FILE, required=True, help="PEM file of the roots that verification trusts.")
@click.option(
    "--crl", "crls", type=_FILE, multiple=True, help="A list of revocations, DER; read again when it changes."
)
@click.option("--clients", type=_FILE, help="File of bearer tokens, one a line, that clients show; private.")
@click.option(
    "--fetch",
    is_flag=True,
    help="Fetch the certificates that tokens name, by the rules of ATIS-1000074. Without it, only tokens that carry "
    "their certificates (x5c) can be verified; the others get 436.",
)
@click.option("--trusted-proxy", metavar="ADDRESS", help="Take client addresses from this proxy's X-Forwarded-For.")
def serve_signing(
    host: str,
    port: int,
    key: Path | None,
    chain: Path | None,
    x5u: str | None,
    allow: tuple[str, ...],
    anchors: Path,
    crls: tuple[Path, ...],
    clients: Path | None,
    fetch: bool,
    trusted_proxy: str | None,
) -> None:
    """Sign and verify for SIP servers: POST /stir/v1/signing and /stir/v1/verification.

    Whoever can reach the service can have calls signed: it listens on this machine alone unless clients have to show a
    token. For mutual TLS, let a proxy on this machine ask for certificates, and listen on loopback.
    """
    if (key is None) != (chain is None) or (key is None) != (x5u is None):
        raise click.UsageError("--key, --chain and --x5u belong together")
    if clients is None and not _is_loopback(host):
        raise click.UsageError(f"--clients is needed: anybody who reaches {host} could have calls signed")

    def build(_: str) -> Starlette:
        signer = None
        if key is not None and chain is not None and x5u is not None:
            signer = Signer.of(key.read_bytes(), chain.read_bytes(), x5u, allow)
        chains = ChainVerifier(TrustAnchors.from_pem(anchors.read_bytes()))
        verifier = CallVerifier(chains, fetch_chain if fetch else None, ListFiles(crls).read)
        return create_app(signer, verifier, () if clients is None else _digests(clients))

    run(build, host, port, None, trusted_proxy, "Signing service at {}.")


@dataclass(slots=True)
class ListFiles:
    """Lists of revocations in files that somebody else keeps up to date."""

    files: Sequence[Path]
    _read: dict[Path, tuple[int, bytes]] = field(default_factory=dict)

    def read(self) -> list[bytes]:
        """What the files hold now; one that is not there holds nothing."""
        return [octets for octets in map(self._octets, self.files) if octets]

    def _octets(self, file: Path) -> bytes:
        try:
            changed = file.stat().st_mtime_ns
            if self._read.get(file, (-1, b""))[0] != changed:
                self._read[file] = changed, file.read_bytes()
        except OSError:
            return b""
        return self._read[file][1]


def _digests(clients: Path) -> frozenset[bytes]:
    """Read the tokens of clients; raises ValueError if others may read them too."""
    if clients.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"others may read {clients}: run chmod 600 {clients}")
    tokens = [line.strip() for line in clients.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not tokens:
        raise ValueError(f"{clients} holds no token")
    return frozenset(map(client_digest, tokens))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
