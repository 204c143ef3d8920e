"""How the service meets the network: TLS, the drain at its end, metrics and the log."""

import asyncio
import gc
import ipaddress
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from logging import WARNING, getLogger
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click
import uvicorn
from starlette.applications import Starlette
from uvicorn.config import LOGGING_CONFIG

from delivery_service.errors import StartError
from delivery_service.http.accounting import Accounted
from delivery_service.http.connections import CONNECTIONS_LIMIT, BoundedConnection, room_for
from delivery_service.logs import EventLog, Form, LibraryRecords
from delivery_service.service import Service

if TYPE_CHECKING:  # loaded only where somebody asks for metrics
    from delivery_service.metrics import Metrics

GRACEFUL_SHUTDOWN = 5  # seconds for requests that are under way at the end; streams and waits end at once
COLLECT_AFTER = (20_000, 20, 20)  # objects made and not freed, and collections of the young and of the middle-aged
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # of TLS 1.2; those of 1.3 are all good

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Exposure:
    """What an operator chose; `drain`: seconds between "not ready" and the end."""

    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_proxy: bool = False
    metrics: tuple[str, int] | None = None
    log: Form | None = None
    log_requests: bool = False
    drain: float = 0
    connections: int = CONNECTIONS_LIMIT

    @property
    def scheme(self) -> str:
        """Of the service's URL."""
        return "http" if self.tls_cert is None else "https"

    def check(self, host: str) -> None:
        """Raises StartError for what must not be served to a network."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise StartError("--tls-cert and --tls-key belong together")
        if self.log_requests and self.log is None:
            raise StartError("--log-requests needs --log json or --log text")
        if self.tls_cert is None and not self.behind_proxy and not _is_loopback(host):
            raise StartError(
                f"{host} can be reached from outside and this is plain HTTP: give --tls-cert and --tls-key, or "
                "--behind-proxy if a proxy in front does TLS and nobody else reaches this address"
            )

    def tls(self) -> ssl.SSLContext | None:
        """TLS 1.2 and later with this certificate. Raises StartError."""
        if self.tls_cert is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        self.load(context)
        return context

    def load(self, context: ssl.SSLContext) -> None:
        """Reads the certificate and its key; connections that begin later use them. Raises StartError."""
        assert self.tls_cert is not None
        try:
            context.load_cert_chain(self.tls_cert, self.tls_key)
        except (ssl.SSLError, OSError) as error:
            raise StartError(
                f"cannot use the TLS certificate {self.tls_cert} with its key {self.tls_key}: {error}; the one has the "
                "service's certificate first and then those above it, the other the key of the first, both PEM"
            ) from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Address(click.ParamType[Any]):
    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        host, _, port = str(value).rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
            self.fail("give HOST:PORT, such as 127.0.0.1:9442", param, ctx)
        return host.removeprefix("[").removesuffix("]"), int(port)


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OPTIONS = (
    click.option("--tls-cert", type=_FILE, help="Serve HTTPS with this chain, PEM; read again at SIGHUP."),
    click.option("--tls-key", type=_FILE, help="The key of --tls-cert, PEM."),
    click.option("--behind-proxy", is_flag=True, help="Serve plain HTTP to others: a proxy in front does TLS."),
    click.option("--metrics", type=_Address(), help="Serve Prometheus metrics there, where only monitoring reaches."),
    click.option(
        "--log", type=click.Choice(["json", "text"]), help="Write events to standard error; they name nobody."
    ),
    click.option("--log-requests", is_flag=True, help="Log every request, not only those refused."),
    click.option(
        "--drain",
        type=click.FloatRange(0, 600),
        default=0,
        show_default=True,
        metavar="SECONDS",
        help="At the end, go on so long after /v1/ready says no, for a proxy to notice.",
    ),
    click.option(
        "--connections",
        type=click.IntRange(1, 1_000_000),
        default=CONNECTIONS_LIMIT,
        show_default=True,
        help="Open connections, each online device has one; more are refused with 503.",
    ),
)


def exposed(command: Callable[P, R]) -> Callable[P, R]:
    """Give a command the options of an Exposure."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


async def serve(app: Starlette, listener: socket.socket, title: str, exposure: Exposure) -> None:
    """Serves until a signal; the title and the URL are said on standard error. Raises StartError."""
    service: Service = app.state.service
    log = None if exposure.log is None else EventLog(sys.stderr, exposure.log, time.time)
    context = exposure.tls()
    metrics = None if exposure.metrics is None else _metrics_of(service)
    served: Any = app
    if metrics is not None or log is not None:
        served = Accounted(app, service, app.routes, metrics=metrics, log=log, each=exposure.log_requests)
    connections = room_for(exposure.connections)
    http = partial(BoundedConnection, entrance=service.entrance)
    config = _config(served, http, context, connections, plain=log is None)
    async with app.router.lifespan_context(app):
        with (
            _reloading(exposure, context),
            _metrics_served(metrics, exposure.metrics),
            _library_records(log),
            _few_collections(),
        ):
            host, port = listener.getsockname()[:2]
            url = f"{exposure.scheme}://{f'[{host}]' if ':' in host else host}:{port}"
            if log is None:
                click.echo(f"{title}, at {url}", err=True)
            else:
                log.write("started", url=url)
            if connections < exposure.connections:
                getLogger(__name__).warning(
                    "room for %d connections only: raise the limit on open files (ulimit -n, LimitNOFILE)", connections
                )
            await _Server(config, service, log, exposure.drain).serve([listener])
    if log is not None:
        log.write("stopped")


@contextmanager
def _few_collections() -> Iterator[None]:
    """Lets the collector of cycles look seldom, and only at what came after the start: requests leave few behind."""
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


def _config(app: Any, http: Any, context: ssl.SSLContext | None, connections: int, *, plain: bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=http,
        limit_concurrency=connections,
        ws="none",
        lifespan="off",  # entered here, where a StartError can be told without a traceback
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks for a client's address
        log_level="warning",
        log_config=LOGGING_CONFIG if plain else None,  # None: our own takes what uvicorn says
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN,
        ssl_context_factory=None if context is None else lambda *_: context,
    )


class _Server(uvicorn.Server):
    """uvicorn that ends the streams and long polls itself, instead of cancelling them with a traceback each."""

    def __init__(self, config: uvicorn.Config, service: Service, log: EventLog | None, drain: float) -> None:
        super().__init__(config)
        self._service = service
        self._log = log
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM only drains: uvicorn would raise it again at its end, before the store is closed."""
        if sig == signal.SIGTERM and not self.should_exit:
            self.should_exit = True
        else:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Not ready, then nobody waits any more, then what is under way ends."""
        self._service.readiness.drain()
        if self._log is not None:
            self._log.write("draining", seconds=self._drain)
        await asyncio.sleep(self._drain)
        self._service.wakeups.close()
        await super().shutdown(sockets)
        if self.server_state.tasks:  # cancelled, but not at their end
            await asyncio.wait(self.server_state.tasks)


@contextmanager
def _reloading(exposure: Exposure, context: ssl.SSLContext | None) -> Iterator[None]:
    """SIGHUP reads the certificate anew; one that cannot be used leaves the former."""
    if context is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def reload() -> None:
        try:
            exposure.tls()  # on a context of its own first: a failed load would leave half of it in this one
            exposure.load(context)
        except StartError as error:
            getLogger(__name__).warning("the former certificate stays: %s", error)

    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _metrics_of(service: Service) -> "Metrics":
    from delivery_service.metrics import Metrics

    return Metrics(service)


@contextmanager
def _metrics_served(metrics: "Metrics | None", address: tuple[str, int] | None) -> Iterator[None]:
    if metrics is None or address is None:
        yield
        return
    from prometheus_client import start_http_server

    try:
        server, thread = start_http_server(address[1], address[0], metrics.registry)
    except OSError as error:
        raise StartError(
            f"cannot serve metrics at {address[0]} port {address[1]}: {error.strerror or error}; "
            "choose another --metrics"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _library_records(log: EventLog | None) -> Iterator[None]:
    if log is None:
        yield
        return
    root, records = getLogger(), LibraryRecords(log)
    root.addHandler(records)
    root.setLevel(WARNING)
    try:
        yield
    finally:
        root.removeHandler(records)
