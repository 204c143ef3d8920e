"""The logs of an authority: one of its own that runs beside it, or others elsewhere."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import Route

from identity.authority.issuer import Issuer
from identity.authority.log.certificate_log import CertificateLog
from identity.authority.log.endpoints import log_routes, logs_route
from identity.authority.log.folder import FOLDER, KEY, open_log
from identity.authority.log.remote import RemoteLog
from identity.authority.log.wire import Log

LOG_NAME = "Ringtrue development log"


@dataclass(frozen=True, slots=True)
class Transparency:
    """Where an authority's certificates are logged; `own` is the log that this process runs."""

    named: tuple[Log, ...]
    own: CertificateLog | None = None
    others: tuple[RemoteLog, ...] = ()

    def routes(self, clock: Callable[[], float]) -> list[Route]:
        """The addresses that the authority adds to its own."""
        return [logs_route(self.named), *([] if self.own is None else log_routes(self.own, clock))]

    def close(self) -> None:
        """Close the file of the own log, and the connections to others."""
        for log in self.others:
            log.close()
        if self.own is not None:
            self.own.close()


NO_LOGS = Transparency(())


def open_transparency(folder: Path, base_url: str, issuer: Issuer, elsewhere: Sequence[str] = ()) -> Transparency:
    """Have the issuer log what it issues, at these URLs or beside itself. Raises DataFolderError, LogError."""
    if elsewhere:
        logs = tuple(map(RemoteLog, elsewhere))
        issuer.use_logs(logs)
        return Transparency(tuple(log.named for log in logs), others=logs)
    own = open_log(folder / FOLDER, LOG_NAME, lambda: issuer.anchors.roots)
    issuer.use_logs([own])
    return Transparency((Log(own.log.name, own.log.spki, base_url),), own)


def open_own_log(folder: Path, issuer: Issuer) -> Transparency:
    """Have the issuer log in the log that an authority runs in its folder, if it runs one. Raises DataFolderError."""
    return open_transparency(folder, "", issuer) if (folder / FOLDER / KEY).exists() else NO_LOGS
