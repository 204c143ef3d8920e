"""Durable ordered appends through the whole delivery service, against the bare store and the raw engine.

Ours: service processes with their real command, real certificates, sessions, groups and ciphertexts, loaded over HTTP
by another process on the same cores; one process on SQLite, two replicas on the PostgreSQL database that
RINGTRUE_BENCH_DATABASE names, if there is one. The floors: the same store in a process without HTTP, sessions and MLS
framing, with as many callers, and the engine alone (stores.py). They take turns, so that a noisy machine is noisy for
all. Where /tmp is in memory, let TMPDIR name a folder on a disk.
"""

import asyncio
import os
import re
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median

import msgspec
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from mls_rs import Credential, Engine, Group

from client.records.outbox import new_idempotency_key
from client.services.delivery import DeliveryClient
from delivery_service.credentials import Credentials
from delivery_service.franking import KEY_FILE
from delivery_service.storage.database import Database
from delivery_service.storage.engine import Engine as StoreEngine
from delivery_service.storage.postgresql import PostgresqlEngine
from delivery_service.storage.sqlite import SqliteEngine
from delivery_service.storage.store import Store
from delivery_service.storage.values import Change, NewEntry, NewGroup, Notified
from identity.certificates import TrustAnchors
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.reports.franking import TAG_SIZE, encode_aad
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from lab.bench.delivery_load import ENVELOPE, Load, Sent, private_message
from lab.bench.rows import Aim, Row
from lab.bench.stores import DATABASE, Raw, RawPostgresql, RawSqlite

GROUPS = 64
DEVICES = 8
CONNECTIONS = 64
OCTETS = 1024
ROUNDS = 3
SECONDS = 4.0
REPLICAS = 2
REPLICA_CONNECTIONS = 128  # so that each group has a writer at each replica
MESSAGES = 400  # ciphertexts of each group
CHILD_LIMIT = 60  # seconds after which a child process hangs
TICKS = os.sysconf("SC_CLK_TCK")
_URL = re.compile(r"http://127\.0\.0\.1:(\d+)")
SERVE = "from delivery_service.cli import delivery; delivery()"


class Floor(msgspec.Struct):
    """The bare store's appends a second, its CPU seconds for each, and the appends a second of the engine alone."""

    rate: float
    cpu: float
    raw: float


class Bare(msgspec.Struct):
    """What the floor's process measures: a store in a folder, or in a database."""

    folder: str
    seconds: float
    callers: int
    database: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """An engine, and the service on it."""

    name: str
    replicas: int
    connections: int
    aim: float
    database: str | None = None

    def options(self) -> tuple[str, ...]:
        """Of the command."""
        return () if self.database is None else ("--database", self.database, "--accept-one-copy")


SQLITE = Setting("SQLite", 1, CONNECTIONS, 5_000)


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
    settings = [SQLITE]
    if (url := os.environ.get(DATABASE)) is not None:
        name = f"PostgreSQL, {REPLICAS} replicas"
        settings.append(Setting(name, REPLICAS, REPLICA_CONNECTIONS, 4_000, url))
    rows: list[Row] = []
    for setting in settings:
        with tempfile.TemporaryDirectory(prefix="ringtrue-bench-") as folder:
            rows += _rows(setting, uvloop.run(_measure(Path(folder), setting, rounds, seconds)))
    return rows


async def _measure(folder: Path, setting: Setting, rounds: int, seconds: float) -> list[Round]:
    anchors, chains = credentials()
    (folder / "anchors.pem").write_bytes(b"".join(root.public_bytes(Encoding.PEM) for root in anchors.roots))
    async with AsyncExitStack() as stack:
        services = []
        for place in range(setting.replicas):
            data = folder / f"service{place}"
            if place:  # the one secret that all replicas have
                data.mkdir(mode=0o700)
                shutil.copy(folder / "service0" / KEY_FILE, data)
            where = ("--port", "0", "--data-dir", data, "--anchors", folder / "anchors.pem")
            services.append(await stack.enter_async_context(served("-c", SERVE, "serve", *where, *setting.options())))
        empty = await stack.enter_async_context(served("-m", "lab.bench.delivery_echo"))
        there = await found(services[0].port, anchors, chains)
        ports = [service.port for service in services]
        load = Load("127.0.0.1", ports, there.groups, there.tokens, setting.connections, seconds, OCTETS)
        load.messages = str(there.write_messages(folder / "messages"))
        return [await _round(setting, services, empty, load, folder / f"bare{turn}") for turn in range(rounds)]


async def _round(setting: Setting, services: list["Server"], empty: "Server", load: Load, folder: Path) -> Round:
    before = [cpu_of(service.pid) for service in services]
    sent = await loaded(load)
    used = [
        (now[0] - then[0], now[1] - then[1]) for then, now in zip(before, map(cpu_of, _pids(services)), strict=True)
    ]
    bare = Bare(str(folder), load.seconds, load.connections, setting.database)
    floor = await child("lab.bench.delivery", msgspec.json.encode(bare))
    idle = sum(cpu_of(empty.pid))
    answered = await loaded(msgspec.structs.replace(load, ports=[empty.port], seconds=load.seconds / 2))
    idle = (sum(cpu_of(empty.pid)) - idle) / answered.accepted
    user, system = sum(user for user, _ in used), sum(system for _, system in used)
    return Round(sent, user, system, msgspec.json.decode(floor, type=Floor), idle)


def _pids(services: list["Server"]) -> list[int]:
    return [service.pid for service in services]


async def loaded(load: Load) -> Sent:
    return msgspec.json.decode(await child("lab.bench.delivery_load", msgspec.json.encode(load)), type=Sent)


def _rows(setting: Setting, rounds: list[Round]) -> list[Row]:
    middle = sorted(rounds, key=lambda turn: turn.sent.accepted / turn.sent.seconds)[len(rounds) // 2]
    sent = middle.sent
    refused = sum(turn.sent.refused for turn in rounds)
    service = 1e6 * (middle.user + middle.system) / sent.accepted
    writer = 1e6 * median(turn.floor.cpu for turn in rounds)
    user = 100 * middle.user / (middle.user + middle.system)
    empty = 1e6 * median(turn.empty for turn in rounds)
    note = (
        f"{setting.connections} connections, {GROUPS} groups, ciphertexts of {OCTETS} octets, generator on the same "
        f"cores; an append takes {sent.median_ms:.1f} ms (p99 {sent.p99_ms:.1f} ms). CPU an append: service "
        f"{service:.0f} µs ({user:.0f} % user), of these an empty answer by the same server and framework {empty:.0f} "
        f"µs and the bare store with its callers {writer:.0f} µs; the rest is session, MLS framing, the frank and the "
        f"turns of threads. Generator {1e6 * sent.cpu / sent.accepted:.0f} µs. Answers other than 201: {refused}"
    )
    rate, name = sent.accepted / sent.seconds, f"durable ordered appends through the delivery service, {setting.name}"
    bare, raw = median(turn.floor.rate for turn in rounds), median(turn.floor.raw for turn in rounds)
    return [
        Row(name, rate, "/s", None, "the bare store", bare, Aim("ours", "at least", setting.aim), note),
        Row("the same", rate, "/s", None, f"the engine alone, {setting.connections} entries in a transaction", raw),
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
        port = await _port(process.stderr)
        dropped = asyncio.create_task(_drop(process.stderr))
        yield Server(process.pid, port)
    finally:
        process.terminate()
        await process.wait()
    await dropped


async def _port(said: asyncio.StreamReader) -> int:
    """From the line that names the URL. Raises ChildProcessError if the server ends without one."""
    told = ""
    while line := (await said.readline()).decode():
        if found := _URL.search(line):
            return int(found[1])
        told += line
    raise ChildProcessError(told)


async def _drop(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass


@dataclass(frozen=True, slots=True)
class Founded:
    """Groups at a service, the token of each one's member, and the member's own group."""

    groups: list[bytes]
    tokens: list[str]
    states: list[Group]

    def write_messages(self, path: Path) -> Path:
        """MESSAGES of each group, encrypted and tagged, in a file for the generator."""
        text = os.urandom(OCTETS - ENVELOPE - len(encode_aad(bytes(TAG_SIZE))))
        made = [
            [state.encrypt(text, encode_aad(os.urandom(TAG_SIZE))) for _ in range(MESSAGES)] for state in self.states
        ]
        path.write_bytes(msgspec.msgpack.encode(made))
        return path


async def found(
    port: int, anchors: TrustAnchors, chains: list[tuple[ec.EllipticCurvePrivateKey, tuple[bytes, ...]]]
) -> Founded:
    """GROUPS groups, and a token for each."""
    trusted = Credentials(anchors)
    there = Founded([], [], [])
    for key, chain in chains:
        scalar = bytearray(key.private_numbers().private_value.to_bytes(32, "big"))
        engine = Engine(2, Credential.x509(chain), scalar, trusted.validate, trusted.succeed)
        async with DeliveryClient(f"http://127.0.0.1:{port}", key, chain) as client:
            token = (await client.open_session()).token
            for _ in range(GROUPS // DEVICES):
                group = engine.create(secrets.token_bytes(16), int(time.time()))
                await client.create_group(group.group_id, group.group_info(), new_idempotency_key())
                there.groups.append(group.group_id)
                there.tokens.append(token)
                there.states.append(group)
    return there


def cpu_of(pid: int) -> tuple[float, float]:
    """User and system seconds of a process and its threads so far (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


async def child(module: str, standard_input: bytes) -> bytes:
    """What a measurement's own process prints. Raises ChildProcessError."""
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


async def _bare_store(bare: Bare) -> Floor:
    folder = Path(bare.folder)
    engine: StoreEngine = SqliteEngine(folder) if bare.database is None else PostgresqlEngine(_one_copy(bare.database))
    engine.start(_ignore)
    store = Store(engine)
    device = b"+12025550100/" + b"0" * 32
    groups = [secrets.token_bytes(16) for _ in range(GROUPS)]
    for group_id in groups:
        await store.create_group(NewGroup(group_id, device, secrets.token_bytes(16), bytes(32), bytes(2000)))
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()

    async def call(group_id: bytes) -> int:
        count = 0
        while time.perf_counter() < start + bare.seconds:
            body = private_message(group_id, 0, OCTETS)
            key = os.urandom(16)
            await store.append(
                NewEntry(group_id, device, "application", 0, key, sha256(body).digest(), int(time.time() * 1000), body)
            )
            count += 1
        return count

    appended = sum(await asyncio.gather(*(call(groups[index % GROUPS]) for index in range(bare.callers))))
    elapsed, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    await engine.stop()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Floor(appended / elapsed, used / appended, _raw(bare))


def _raw(bare: Bare) -> float:
    """Half as long as the others, since nothing in it varies."""
    raw: Raw = RawSqlite(Path(bare.folder) / "raw.sqlite3") if bare.database is None else RawPostgresql(bare.database)
    rate = raw.rate(bare.callers, bare.seconds / 2)
    raw.close()
    return rate


def _one_copy(url: str) -> Database:
    return Database(url, one_copy=True)


def _ignore(change: Change | Notified) -> None:
    """Nobody listens."""


if __name__ == "__main__":
    bare = msgspec.json.decode(sys.stdin.buffer.read(), type=Bare)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_bare_store(bare))))
