"""Durable ordered appends through the whole delivery service, against the bare group-commit writer.

Ours: a service process with its real command, real certificates, sessions and groups, loaded over HTTP by another
process on the same cores. The floor: the same store code in a process without HTTP, sessions and MLS framing, with as
many callers. The two take turns, so that a noisy machine is noisy for both. Where /tmp is in memory, let TMPDIR name a
folder on a disk.
"""

import asyncio
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median

import msgspec
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from mls_rs import Credential, Engine

from client.delivery import DeliveryClient
from client.outbox import new_idempotency_key
from delivery_service.credentials import Credentials
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import Change, NewEntry, NewGroup, Notified
from identity.certificates import TrustAnchors
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from lab.bench.delivery_load import Load, Sent, private_message
from lab.bench.rows import Aim, Row

GROUPS = 64
DEVICES = 8
CONNECTIONS = 64
OCTETS = 1024
ROUNDS = 3
SECONDS = 4.0
CHILD_LIMIT = 60  # seconds after which a child process hangs
TICKS = os.sysconf("SC_CLK_TCK")
SERVE = "from delivery_service.cli import delivery; delivery()"


class Floor(msgspec.Struct):
    """The bare writer's appends a second, and its CPU seconds for each."""

    rate: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Round:
    """One turn of each."""

    sent: Sent
    user: float  # CPU seconds of the service while it was loaded
    system: float
    floor: Floor
    empty: float  # CPU seconds for one request of a server that does nothing


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` takes one short round."""
    rounds, seconds = (1, 1.0) if quick else (ROUNDS, SECONDS)
    with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
        return _rows(uvloop.run(_measure(Path(folder), rounds, seconds)))


async def _measure(folder: Path, rounds: int, seconds: float) -> list[Round]:
    anchors, chains = credentials()
    (folder / "anchors.pem").write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in anchors.roots))
    command = (
        "-c",
        SERVE,
        "serve",
        "--port",
        "0",
        "--data-dir",
        folder / "service",
        "--anchors",
        folder / "anchors.pem",
    )
    async with served(*command) as service, served("-m", "lab.bench.delivery_echo") as empty:
        groups, tokens = await found(service.port, anchors, chains)
        load = Load("127.0.0.1", service.port, groups, tokens, CONNECTIONS, seconds, OCTETS)
        return [await _round(service, empty, load, folder / f"bare{turn}") for turn in range(rounds)]


async def _round(service: "Server", empty: "Server", load: Load, folder: Path) -> Round:
    user, system = cpu_of(service.pid)
    sent = await loaded(load)
    user_after, system_after = cpu_of(service.pid)
    floor = await _child("lab.bench.delivery", msgspec.json.encode((str(folder), load.seconds)))
    before = sum(cpu_of(empty.pid))
    answered = await loaded(msgspec.structs.replace(load, port=empty.port, seconds=load.seconds / 2))
    idle = (sum(cpu_of(empty.pid)) - before) / answered.accepted
    return Round(sent, user_after - user, system_after - system, msgspec.json.decode(floor, type=Floor), idle)


async def loaded(load: Load) -> Sent:
    return msgspec.json.decode(await _child("lab.bench.delivery_load", msgspec.json.encode(load)), type=Sent)


def _rows(rounds: list[Round]) -> list[Row]:
    middle = sorted(rounds, key=lambda turn: turn.sent.accepted / turn.sent.seconds)[len(rounds) // 2]
    sent = middle.sent
    refused = sum(turn.sent.refused for turn in rounds)
    service = 1e6 * (middle.user + middle.system) / sent.accepted
    writer = 1e6 * median(turn.floor.cpu for turn in rounds)
    user = 100 * middle.user / (middle.user + middle.system)
    empty = 1e6 * median(turn.empty for turn in rounds)
    note = (
        f"{CONNECTIONS} connections, {GROUPS} groups, {OCTETS} octets, generator on the same cores; an append takes "
        f"{sent.median_ms:.1f} ms (p99 {sent.p99_ms:.1f} ms). CPU an append: service {service:.0f} µs ({user:.0f} % "
        f"user), of these an empty answer by the same server and framework {empty:.0f} µs and the bare writer with its "
        f"callers {writer:.0f} µs; the rest is session, MLS framing, the frank and the turns of two threads. "
        f"Generator {1e6 * sent.cpu / sent.accepted:.0f} µs. Answers other than 201: {refused}"
    )
    return [
        Row(
            "durable ordered appends through the delivery service",
            sent.accepted / sent.seconds,
            "/s",
            floor_name="bare group-commit writer, same store",
            floor=median(turn.floor.rate for turn in rounds),
            aim=Aim("ours", "at least", 3000),
            note=note,
        )
    ]


# ---- the service and its groups ----


def credentials() -> tuple[TrustAnchors, list[tuple[ec.EllipticCurvePrivateKey, tuple[bytes, ...]]]]:
    """Roots, and keys with chains of DEVICES numbers."""
    now = int(time.time())
    root_key, root = create_root("Bench root", now, 86_400)
    numbers = TNAuthList((TelephoneNumberRange("12025550100", 100),))
    issuer_key, issuer = create_issuer(root_key, root, "Bench issuer", numbers, now, 86_400)
    return TrustAnchors((root,)), [_device(issuer_key, issuer, index, now) for index in range(DEVICES)]


def _device(
    issuer_key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate, index: int, now: int
) -> tuple[ec.EllipticCurvePrivateKey, tuple[bytes, ...]]:
    key = ec.generate_private_key(ec.SECP256R1())
    number = TelephoneNumber.from_digits(f"120255501{index:02}")
    leaf = issue_device_certificate(issuer_key, issuer, key.public_key(), number, now)
    return key, (leaf.public_bytes(Encoding.DER), issuer.public_bytes(Encoding.DER))


@dataclass(frozen=True, slots=True)
class Server:
    """A server process and the port on which it listens."""

    pid: int
    port: int


@asynccontextmanager
async def served(*arguments: str | Path) -> AsyncIterator[Server]:
    """A server process that says on standard error where it is; what else it says there is read and dropped."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stderr=subprocess.PIPE)
    assert process.stderr is not None
    try:
        line = (await process.stderr.readline()).decode()
        dropped = asyncio.create_task(_drop(process.stderr))
        yield Server(process.pid, int(line.rstrip('"}\n').rpartition(":")[2]))
    finally:
        process.terminate()
        await process.wait()
    await dropped


async def _drop(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass


async def found(
    port: int, anchors: TrustAnchors, chains: list[tuple[ec.EllipticCurvePrivateKey, tuple[bytes, ...]]]
) -> tuple[list[bytes], list[str]]:
    """GROUPS groups, and a token for each."""
    trusted = Credentials(anchors)
    groups, tokens = [], []
    for key, chain in chains:
        scalar = bytearray(key.private_numbers().private_value.to_bytes(32, "big"))
        engine = Engine(2, Credential.x509(chain), scalar, trusted.validate, trusted.succeed)
        async with DeliveryClient(f"http://127.0.0.1:{port}", key, chain) as client:
            token = (await client.open_session()).token
            for _ in range(GROUPS // DEVICES):
                group = engine.create(secrets.token_bytes(16), int(time.time()))
                await client.create_group(group.group_id, group.group_info(), new_idempotency_key())
                groups.append(group.group_id)
                tokens.append(token)
    return groups, tokens


def cpu_of(pid: int) -> tuple[float, float]:
    """User and system seconds of a process and its threads so far (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


async def _child(module: str, standard_input: bytes) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(standard_input), CHILD_LIMIT)
    except BaseException:
        process.kill()
        raise
    if process.returncode != 0:
        raise ChildProcessError(f"{module} ended with {process.returncode}")
    return output


# ---- the floor, in a process of its own ----


async def _bare_writer(folder: Path, seconds: float) -> Floor:
    engine = SqliteEngine(folder)
    engine.start(_ignore)
    store = Store(engine)
    device = b"+12025550100/" + b"0" * 32
    groups = [secrets.token_bytes(16) for _ in range(GROUPS)]
    for group_id in groups:
        await store.create_group(NewGroup(group_id, device, secrets.token_bytes(16), bytes(32), bytes(2000)))
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()

    async def call(group_id: bytes) -> int:
        count = 0
        while time.perf_counter() < start + seconds:
            body = private_message(group_id, 0, OCTETS)
            key = os.urandom(16)
            await store.append(
                NewEntry(group_id, device, "application", 0, key, sha256(body).digest(), int(time.time() * 1000), body)
            )
            count += 1
        return count

    appended = sum(await asyncio.gather(*(call(groups[index % GROUPS]) for index in range(CONNECTIONS))))
    elapsed, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    await engine.stop()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Floor(appended / elapsed, used / appended)


def _ignore(change: Change | Notified) -> None:
    """Nobody listens."""


if __name__ == "__main__":
    if sys.stdin.isatty():
        sys.stdout.write(
            "\n".join(f"{row.ours:,.0f} {row.unit} | {row.floor:,.0f} | {row.note}" for row in run()) + "\n"
        )
    else:
        path, duration = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[str, float])
        sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_bare_writer(Path(path), duration))))
