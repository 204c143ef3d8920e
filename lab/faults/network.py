"""The network between clients and replicas: an ASGI transport that loses, repeats, delays and cuts."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
from starlette.applications import Starlette

from lab.faults.families import Rates
from lab.faults.ledger import Ledger
from lab.faults.loop import VirtualLoop
from lab.faults.process import Process
from lab.faults.trace import Trace

LATENCY = 0.02  # seconds that a request or an answer takes at most, when nothing is wrong
AUTHORITY_WORDS = "the authority is out of reach"


class Answering(Protocol):
    """Whoever answers requests: `app` is None while nothing runs there."""

    name: str
    process: Process
    app: Starlette | None


@dataclass(eq=False, slots=True)
class Exchange:
    """One delivery of a request to a replica, and what comes back; without a `waiter` nobody hears the answer."""

    label: str
    client: Process
    replica: Answering
    gone: asyncio.Event
    arrived: "deque[dict[str, Any] | httpx.TransportError]" = field(default_factory=deque)
    waiter: "asyncio.Future[None] | None" = None
    last: float = 0.0
    deaf: bool = False

    def take(self, message: "dict[str, Any] | httpx.TransportError") -> None:
        """Let a part of the answer reach the client."""
        self.arrived.append(message)
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def next(self, patience: float | None, request: httpx.Request) -> dict[str, Any]:
        """The next part. Raises httpx.TransportError, after `patience` seconds without one httpx.ReadTimeout."""
        if not self.arrived:
            self.waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(patience):
                    await self.waiter
            except TimeoutError:
                raise httpx.ReadTimeout("no answer", request=request) from None
            finally:
                self.waiter = None
        message = self.arrived.popleft()
        if isinstance(message, httpx.TransportError):
            raise message
        return message


class Network:
    """Carries requests with the faults of `rates`, until it is `healed`."""

    def __init__(self, loop: VirtualLoop, draw: random.Random, rates: Rates, trace: Trace) -> None:
        self.loop = loop
        self.draw = draw
        self.rates = rates
        self.replicas: list[Answering] = []
        self.trace = trace
        self.ledger = Ledger()
        self.process = Process("network")
        self.open: dict[Exchange, None] = {}  # in the order of their sending
        self._cut: dict[tuple[str, str], float] = {}

    def heal(self) -> None:
        """No fault from now on."""
        self.rates = Rates()
        self._cut.clear()

    def cut(self, client: str, replica: str, seconds: float) -> None:
        """Let nothing through between two for a while."""
        self.trace.fault("partition", f"{client} and {replica} for {seconds:.0f} s")
        self._cut[client, replica] = self.loop.now + seconds

    def is_cut(self, client: str, replica: str) -> bool:
        """Whether nothing gets through between them now."""
        return self._cut.get((client, replica), 0.0) > self.loop.now

    def chance(self, rate: float) -> bool:
        """Whether something of this likelihood happens now."""
        return rate > 0 and self.draw.random() < rate

    def died(self, process: Process) -> None:
        """Break what a dead process had under way."""
        for exchange in [each for each in self.open if process in (each.client, each.replica.process)]:
            if process is exchange.client:
                self._later(exchange.gone.set)
            else:
                self.open.pop(exchange, None)
                self._later(exchange.take, httpx.RemoteProtocolError("the server disconnected"))

    def later(self, exchange: Exchange, message: dict[str, Any]) -> None:
        """A part of an answer is on its way; parts arrive in order."""
        if exchange.deaf or self.is_cut(exchange.client.name, exchange.replica.name):
            exchange.deaf = True  # a connection that has lost a part brings nothing more
            return
        exchange.last = max(exchange.last, self.loop.now + self._time(exchange.label))
        self.loop.call_at(exchange.last, exchange.take, message, context=self.process.context)

    def _later(self, callback: Any, *arguments: Any) -> None:
        self.loop.call_later(self.draw.random() * LATENCY, callback, *arguments, context=self.process.context)

    def _time(self, label: str) -> float:
        if self.chance(self.rates.delay):
            seconds = self.draw.random() * self.rates.slow
            self.trace.fault("delay", f"{label} {seconds:.2f} s")
            return seconds
        return self.draw.random() * LATENCY

    def deliver(self, exchange: Exchange, scope: dict[str, Any], body: bytes) -> None:
        """Let a request reach its replica."""
        self.open[exchange] = None
        self.loop.call_later(
            self._time(exchange.label), self._arrive, exchange, scope, body, context=self.process.context
        )

    def _arrive(self, exchange: Exchange, scope: dict[str, Any], body: bytes) -> None:
        replica = exchange.replica
        if replica.app is None or not replica.process.alive:
            self.open.pop(exchange, None)
            exchange.take(httpx.ConnectError("nobody listens there"))
            return
        self.loop.spawn(replica.process, self._serve(exchange, replica, scope, body))

    async def _serve(self, exchange: Exchange, replica: Answering, scope: dict[str, Any], body: bytes) -> None:
        sent, status, answer = False, 0, b""

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if not sent:
                sent = True
                return {"type": "http.request", "body": body, "more_body": False}
            await exchange.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal status, answer
            if message["type"] == "http.response.start":
                status = message["status"]
                self.trace.say(f"{replica.name} answers {exchange.label}: {status}")
            elif not message.get("more_body"):
                answer = message.get("body", b"")
            elif self.chance(self.rates.break_stream):
                self.trace.fault("broken stream", exchange.label)
                self._later(exchange.take, httpx.ReadError("the connection was reset"))
                exchange.deaf = True
            self.later(exchange, message)

        assert replica.app is not None, "it has arrived"
        whole = False
        try:
            await replica.app(scope, receive, send)
            whole = True
        finally:
            self.open.pop(exchange, None)
            if not whole:
                self._later(exchange.take, httpx.RemoteProtocolError("the server disconnected"))
        self.ledger.answered(scope["method"], scope["path"], body, status, answer)


class Link(httpx.AsyncBaseTransport):
    """What one client process reaches the world by."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process
        self._draw = network.draw

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request. Raises httpx.TransportError."""
        network, patience = self._network, request.extensions["timeout"]
        if request.url.host != "delivery.test":
            raise httpx.ConnectError(AUTHORITY_WORDS, request=request)
        replica = self._draw.choice(network.replicas)
        label = f"{self._process.name} {request.method} {self._path(request)}"
        if network.is_cut(self._process.name, replica.name):
            await asyncio.sleep(patience["connect"])
            raise httpx.ConnectTimeout("no route", request=request)
        exchange = await self._send(request, replica, label)
        if network.chance(network.rates.drop_answer):
            network.trace.fault("drop answer", label)
            exchange.deaf = True
            if network.chance(0.7):
                network._later(exchange.take, httpx.ReadError("the connection was reset"))
        try:
            start = await exchange.next(patience["read"], request)
        except BaseException:
            network._later(exchange.gone.set)
            raise
        return httpx.Response(
            start["status"], headers=start["headers"], stream=_Answer(network, exchange, patience["read"], request)
        )

    async def _send(self, request: httpx.Request, replica: Answering, label: str) -> Exchange:
        network = self._network
        body = await request.aread()
        scope = _scope(request)
        exchange = Exchange(label, self._process, replica, asyncio.Event())
        if network.chance(network.rates.drop_request):
            network.trace.fault("drop request", label)
            if network.chance(0.7):
                network._later(exchange.take, httpx.ReadError("the connection was reset"))
            return exchange
        network.deliver(exchange, scope, body)
        if network.chance(network.rates.duplicate):
            other = self._draw.choice(network.replicas)
            network.trace.fault("duplicate", f"{label} at {other.name}")
            again = Exchange(f"{label} (again)", self._process, other, asyncio.Event(), deaf=True)
            network.deliver(again, dict(scope), body)
        return exchange

    def _path(self, request: httpx.Request) -> str:
        parts = request.url.path.split("/")
        if len(parts) > 4 and parts[2] == "groups":
            parts[3] = self._network.trace.group(parts[3])
        query = request.url.query.decode()
        return "/".join(parts[2:]) + (f"?{query}" if query else "")


class _Answer(httpx.AsyncByteStream):
    def __init__(self, network: Network, exchange: Exchange, patience: float | None, request: httpx.Request) -> None:
        self._network, self._exchange, self._patience, self._request = network, exchange, patience, request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._exchange.next(self._patience, self._request)
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def aclose(self) -> None:
        self._network._later(self._exchange.gone.set)


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, 443),
        "client": ("192.0.2.1", 1024),
        "root_path": "",
    }
