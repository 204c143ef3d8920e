"""What an operator's choices cost: the same load on services with and without them, in turns, in one run."""

import secrets
import socket
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import uvloop
from cryptography.hazmat.primitives.serialization import Encoding

from delivery_service.storage.encryption import KEY_SIZE
from lab.bench.delivery import CONNECTIONS, OCTETS, SERVE, Server, cpu_of, credentials, found, loaded, served
from lab.bench.delivery_load import Load
from lab.bench.rows import Aim, Row

ROUNDS = 5
SECONDS = 2.0
ENCRYPTED_LIMIT = 1.25
OVERHEAD_LIMIT = 1.15  # CPU of an append with metrics, by that without


@dataclass(frozen=True, slots=True)
class Turn:
    """Appends a second, and CPU seconds of the service for each."""

    rate: float
    cpu: float


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` takes one short round."""
    rounds, seconds = (1, 0.5) if quick else (ROUNDS, SECONDS)
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        turns = uvloop.run(_measure(Path(folder), rounds, seconds))
    plain = _middle(turns["plain"])
    return [_row(name, _middle(found), plain) for name, found in turns.items() if name != "plain"]


def _choices(folder: Path) -> dict[str, tuple[str, ...]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        metrics = ("--metrics", f"127.0.0.1:{free.getsockname()[1]}")
    key = folder / "at-rest.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(KEY_SIZE))
    return {
        "plain": (),
        "metrics": metrics,
        "a log of refusals": ("--log", "json"),
        "an encrypted database": ("--encrypt-with", str(key)),
    }


async def _measure(folder: Path, rounds: int, seconds: float) -> dict[str, list[Turn]]:
    anchors, chains = credentials()
    (folder / "anchors.pem").write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in anchors.roots))
    turns: dict[str, list[Turn]] = {}
    async with AsyncExitStack() as stack:
        loads: dict[str, tuple[Server, Load]] = {}
        for name, options in _choices(folder).items():
            where = ("--port", "0", "--data-dir", folder / name, "--anchors", folder / "anchors.pem")
            server = await stack.enter_async_context(served("-c", SERVE, "serve", *where, *options))
            there = await found(server.port, anchors, chains)
            load = Load("127.0.0.1", [server.port], there.groups, there.tokens, CONNECTIONS, seconds, OCTETS)
            loads[name] = server, load
        for _ in range(rounds):
            for name, (server, load) in loads.items():
                turns.setdefault(name, []).append(await _turn(server, load))
    return turns


async def _turn(server: Server, load: Load) -> Turn:
    before = sum(cpu_of(server.pid))
    sent = await loaded(load)
    return Turn(sent.accepted / sent.seconds, (sum(cpu_of(server.pid)) - before) / sent.accepted)


def _middle(turns: list[Turn]) -> Turn:
    return Turn(median(turn.rate for turn in turns), median(turn.cpu for turn in turns))


def _row(name: str, ours: Turn, plain: Turn) -> Row:
    return Row(
        f"CPU of the service for an append, with {name}",
        1e6 * ours.cpu,
        "µs",
        floor_name="without",
        floor=1e6 * plain.cpu,
        aim=Aim("ratio", "at most", ENCRYPTED_LIMIT if "encrypted" in name else OVERHEAD_LIMIT),
        note=f"{ours.rate:,.0f} appends/s with, {plain.rate:,.0f} without, in turns on the same cores",
    )
