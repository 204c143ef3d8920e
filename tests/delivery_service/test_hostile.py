"""Whatever one client does to a real process, its memory stays bounded and another group's log goes on meanwhile."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import pytest

from delivery_service import wire
from delivery_service.events import STREAMS_PER_DEVICE
from delivery_service.groups import HANDSHAKES, HANDSHAKES_PER_NUMBER
from delivery_service.service import LARGE_BODIES, LARGE_BODIES_PER_NUMBER
from delivery_service.wakeups import WATCHERS_PER_DEVICE
from tests.delivery_service.conftest import Device, path_of, word
from tests.delivery_service.real_process import RealProcess
from tests.delivery_service.test_limits import padded_message

ALICE, MALLORY, BOB = "+12025550142", "+12025550143", "+12025550144"
MIB = 1024 * 1024
ROOM = 160 * MIB  # what a process may grow by under any of these attacks; each of them offers it several times as much


@dataclass
class Besieged:
    """A service of its own, Alice with a group, and what Mallory has in hand."""

    process: RealProcess
    make: Callable[[str], Device]
    clients: AsyncExitStack
    open: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def device(self, number: str) -> Device:
        device = self.make(number)
        await device.http.aclose()
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        device.http = await self.clients.enter_async_context(self.process.client(limits=limits))
        await device.open_session()
        return device

    def memory(self, name: str = "VmHWM") -> int:
        """Octets that the process has in memory at most until now, or now (`VmRSS`)."""
        lines = Path(f"/proc/{self.process.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))

    async def connect(self, head: str = "", body: bytes = b"") -> None:
        """One more connection that says this and then neither says nor reads anything more."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        host, port = self.process.url.removeprefix("http://").split(":")
        await asyncio.get_running_loop().sock_connect(sock, (host, int(port)))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
        self.open.append((reader, writer))
        writer.write(head.replace("\n", "\r\n").encode() + body)

    async def hang_up(self) -> None:
        for _, writer in self.open:
            writer.transport.abort()
        for _, writer in self.open:
            await asyncio.wait_for(asyncio.gather(writer.wait_closed(), return_exceptions=True), 10)
        self.open.clear()


@pytest.fixture
async def besieged(tmp_path: Path, now_roots, now_device) -> AsyncIterator[Besieged]:
    process = RealProcess(tmp_path, now_roots)
    await process.start()
    async with AsyncExitStack() as clients:
        started = Besieged(process, now_device, clients)
        yield started
        await started.hang_up()
    await process.end()


@asynccontextmanager
async def siege(besieged: Besieged) -> AsyncIterator[None]:
    """While its body runs Alice writes; in the end, with the attack under way, she has written on, and all is there."""
    alice = await besieged.device(ALICE)
    group = await alice.create()
    for _ in range(20):  # what everybody needs is in memory before
        await alice.say(group, b"before")
    before, over, written = besieged.memory("VmRSS"), asyncio.Event(), 20

    async def write() -> int:
        count = 0
        while not over.is_set() or count < 5:
            await alice.say(group, b"meanwhile")
            count += 1
        return count

    writing = asyncio.create_task(write())
    try:
        yield
    finally:
        over.set()
        written += await asyncio.wait_for(writing, 60)
    for _ in range(5):
        await alice.say(group, b"with the attack still under way")
    assert (await alice.read(group.group_id)).head == written + 5
    grown = besieged.memory() - before
    assert grown < ROOM, f"{grown / MIB:.0f} MiB more"


def request(method: str, path: str, device: Device | None = None, **fields: object) -> str:
    named = {"host": "delivery.example", **{name.replace("_", "-"): value for name, value in fields.items()}}
    if device is not None:
        named["authorization"] = f"Bearer {device.token}"
    return f"{method} {path} HTTP/1.1\n" + "".join(f"{name}: {value}\n" for name, value in named.items()) + "\n"


async def test_many_connections_with_half_a_head(besieged):
    async with siege(besieged):
        for _ in range(1500):
            await besieged.connect(request("GET", "/v1/status", x="y" * 30_000)[:30_000])


async def test_many_bodies_of_strangers_that_never_end(besieged):
    head = request("POST", "/v1/sessions", content_type=wire.JSON_TYPE, content_length=wire.CONTROL_LIMIT)
    async with siege(besieged):
        for _ in range(700):
            await besieged.connect(head, b"x" * (wire.CONTROL_LIMIT - 1))


async def test_bodies_of_any_size_and_without_an_end(besieged):
    mallory = await besieged.device(MALLORY)
    group = await mallory.create()
    entries, commits = f"{path_of(group.group_id)}/entries", f"{path_of(group.group_id)}/commits"
    chunk = b"10000\r\n" + bytes(0x10000) + b"\r\n"
    async with siege(besieged):
        for path, kind in (
            (entries, wire.MLS_TYPE),
            (commits, wire.MSGPACK_TYPE),
            ("/v1/key-packages", wire.JSON_TYPE),
        ):
            method = "PUT" if path == "/v1/key-packages" else "POST"
            fields = {"content_type": kind, "idempotency_key": "0" * 32}
            await besieged.connect(request(method, path, mallory, content_length=10**12, **fields))
            assert b" 413 " in await asyncio.wait_for(besieged.open[-1][0].readline(), 30)
            await besieged.connect(request(method, path, mallory, transfer_encoding="chunked", **fields))
            reader, writer = besieged.open[-1]
            for _ in range(400):  # 25 MiB, far beyond each limit; what comes after the refusal is read and forgotten
                writer.write(chunk)
                await writer.drain()
            assert b" 413 " in await asyncio.wait_for(reader.readline(), 30)


async def test_many_streams_that_nobody_reads(besieged):
    mallory = await besieged.device(MALLORY)
    groups = [await mallory.create() for _ in range(20)]
    async with siege(besieged):
        for _ in range(300):
            await besieged.connect(request("GET", "/v1/events", mallory))
        for _ in range(10):
            await asyncio.gather(*(mallory.say(group, b"news for every stream") for group in groups))
    told = await asyncio.gather(*(ended(reader) for reader, _ in besieged.open))
    assert told.count(False) <= STREAMS_PER_DEVICE


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether a stream has an end: a last chunk or a connection that was closed."""
    seen = b""
    try:
        async with asyncio.timeout(5):
            while b"\r\n0\r\n\r\n" not in seen[-4096:]:
                chunk = await reader.read(4096)
                if not chunk:
                    return True
                seen += chunk
    except TimeoutError:
        return False
    return True


async def test_many_waits(besieged):
    mallory = await besieged.device(MALLORY)
    group = await mallory.create()
    async with siege(besieged):
        for path in (f"{path_of(group.group_id)}/entries?after=0&wait=30", "/v1/inbox?after=0&wait=30"):
            for _ in range(200):
                await besieged.connect(request("GET", path, mallory))
        answered = asyncio.gather(*(reader.readline() for reader, _ in besieged.open), return_exceptions=True)
        await mallory.say(group, b"so that those who still wait for entries are answered")
        with pytest.raises(TimeoutError):  # those of the inbox that still wait
            await asyncio.wait_for(answered, 5)
        silent = sum(not reader.at_eof() and not reader._buffer for reader, _ in besieged.open)
        assert 0 < silent <= WATCHERS_PER_DEVICE


async def test_many_whole_batches_that_nobody_reads(besieged):
    """One device asks for the same four MiB again and again, and reads none of it: 1.2 GiB."""
    mallory = await besieged.device(MALLORY)
    group = await mallory.create()
    for _ in range(wire.BATCH_OCTETS // wire.APPLICATION_LIMIT):
        await mallory.append(group.group_id, padded_message(group.group_id, wire.APPLICATION_LIMIT))
    async with siege(besieged):
        for _ in range(300):
            await besieged.connect(request("GET", f"{path_of(group.group_id)}/entries?after=0", mallory))
        bob = await besieged.device(BOB)  # another number reads meanwhile, as large batches as ever
        own = await bob.create()
        for _ in range(wire.BATCH_OCTETS // wire.APPLICATION_LIMIT):
            await bob.append(own.group_id, padded_message(own.group_id, wire.APPLICATION_LIMIT))
        batch = await bob.read(own.group_id)
        assert sum(len(entry.body) for entry in batch.entries) == wire.BATCH_OCTETS


async def test_bundles_as_large_as_may_be_from_all_devices_of_a_number(besieged):
    devices = [await besieged.device(MALLORY) for _ in range(12)]
    group = await devices[0].create()
    pending = group.commit(devices[0].now, path=True)
    parts = {
        "commit": pending.commit,
        "welcomes": [bytes(wire.WELCOME_LIMIT)],
        "group_info": bytes(wire.GROUP_INFO_LIMIT),
    }
    body = msgspec.msgpack.encode(parts)
    path = f"{path_of(group.group_id)}/commits"
    async with siege(besieged):
        answers = await asyncio.gather(*(device.post(path, body, wire.MSGPACK_TYPE) for device in devices * 2))
        assert {word(answer) for answer in answers} <= {"malformed", "overloaded"}
        for _ in range(LARGE_BODIES_PER_NUMBER + 2):  # and some that never end
            fields = {"content_type": wire.MSGPACK_TYPE, "idempotency_key": "0" * 32, "content_length": len(body)}
            await besieged.connect(request("POST", path, devices[0], **fields), body[:-1])
        bob = await besieged.device(BOB)
        own = await bob.create()
        assert (await bob.commit(own, own.commit(bob.now, path=True))).status_code == 201
    assert (await devices[0].commit(group, pending)).status_code in (201, 503)


async def test_numbers_that_hold_every_turn_for_large_bodies_keep_nobody_from_committing(besieged):
    """As many hostile numbers as together have every turn, with bodies of which the last octet never comes."""
    path, fields = "/v1/key-packages", {"content_type": wire.JSON_TYPE, "content_length": wire.UPLOAD_LIMIT}
    async with siege(besieged):
        for number in range(LARGE_BODIES // LARGE_BODIES_PER_NUMBER):
            mallory = await besieged.device(f"+120255501{50 + number}")
            for _ in range(LARGE_BODIES_PER_NUMBER + 1):
                await besieged.connect(request("PUT", path, mallory, **fields), bytes(wire.UPLOAD_LIMIT - 1))
            readers = [reader for reader, _ in besieged.open[-LARGE_BODIES_PER_NUMBER - 1 :]]
            answers = [asyncio.ensure_future(reader.readline()) for reader in readers]
            refused, _ = await asyncio.wait(answers, timeout=30, return_when=asyncio.FIRST_COMPLETED)
            assert [b" 503 " in answer.result() for answer in refused] == [True]  # the others have their turns
            for answer in answers:
                answer.cancel()
        bob = await besieged.device(BOB)
        own = await bob.create()
        for _ in range(3):
            pending = own.commit(bob.now, path=True)
            answer = await bob.commit(own, pending)
            assert answer.status_code == 201, answer.text
            own.apply(pending.secrets)
        assert (await bob.publish(1)).status_code == 200


async def test_a_storm_of_bad_handshakes_starves_no_other_group(besieged):
    """Mallory's devices, as many as would fill every place in the line, have bad proposals judged again and again."""
    storms = []
    for _ in range(HANDSHAKES // HANDSHAKES_PER_NUMBER * 3):
        device = await besieged.device(MALLORY)
        group = await device.create()
        bad = bytearray(group.propose_update(device.now))
        bad[-80] ^= 1  # in the signature
        fields = {"content_type": wire.MLS_TYPE, "idempotency_key": "0" * 32, "content_length": len(bad)}
        head = request("POST", f"{path_of(group.group_id)}/entries", device, **fields).replace("\n", "\r\n")
        storms += [(head.encode() + bytes(bad)) * 40] * 4  # one behind the other, so that the line is never empty
    async with siege(besieged):
        bob = await besieged.device(BOB)
        own = await bob.create()
        for each in storms:
            await besieged.connect(body=each)
        for _ in range(5):
            pending = own.commit(bob.now, path=True)
            answer = await bob.commit(own, pending)
            assert answer.status_code == 201, answer.text
            own.apply(pending.secrets)
        answers = b"".join(await asyncio.gather(*(reader.read(4096) for reader, _ in besieged.open)))
    assert b" 422 " in answers
    assert b" 503 " in answers


async def test_a_storm_at_one_group_leaves_the_others_alone(besieged):
    mallory = await besieged.device(MALLORY)
    group = await mallory.create()
    message, path = group.encrypt(b"again and again"), f"{path_of(group.group_id)}/entries"
    over = asyncio.Event()

    async def storm() -> None:
        while not over.is_set():
            answer = await mallory.post(path, message, wire.MLS_TYPE, secrets.token_hex(16))
            assert answer.status_code in (201, 503), answer.text

    async with siege(besieged):
        storming = asyncio.gather(*(storm() for _ in range(100)))
        bob = await besieged.device(BOB)
        own = await bob.create()
        for _ in range(20):
            await bob.say(own, b"meanwhile")
        over.set()
        await asyncio.wait_for(storming, 60)


async def test_a_storm_of_claims_for_one_number_costs_only_the_claimant(besieged):
    mallory, bob, alice = [await besieged.device(number) for number in (MALLORY, BOB, ALICE)]
    await bob.publish(3, last_resort=True)
    async with siege(besieged):
        answers = await asyncio.gather(*(mallory.claim_answer(BOB) for _ in range(wire.CLAIMS_PER_HOUR + 40)))
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(200), statuses.count(429)) == (wire.CLAIMS_PER_HOUR, 40)
        assert len(await alice.claim(BOB)) == 1


@pytest.mark.parametrize("after", [0, 1, 2**31, 2**63 - 1])
async def test_cursors_at_their_extremes(besieged, after):
    mallory = await besieged.device(MALLORY)
    group = await mallory.create()
    async with siege(besieged):
        for path in (f"{path_of(group.group_id)}/entries?after={after}", f"/v1/inbox?after={after}"):
            assert (await mallory.call("GET", path)).status_code == 200
            beyond = path.replace(f"after={after}", f"after={2**63 + after}")
            assert word(await mallory.call("GET", beyond)) == "malformed"
        acknowledged = await mallory.call("POST", "/v1/inbox/ack", msgspec.json.encode({"position": after}))
        assert acknowledged.status_code == 204
