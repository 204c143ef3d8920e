"""What people do during a run: each deed is drawn from the seed and done by the real session."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from client.records.chats import Chat, Standing
from client.session import Session
from lab.faults.client import Device
from lab.faults.families import Habits
from lab.faults.park import Park
from lab.faults.prepared import NUMBERS, number
from lab.faults.replica import Replica

AWAY = 30.0  # seconds that somebody stays offline, at most
DYING = 100  # callbacks within which whoever is to die dies

Deed = Callable[[Session], Awaitable[object]]


class Load:
    """Draws deeds and lets people do them, at drawn moments, without waiting for each other."""

    def __init__(self, park: Park, devices: Sequence[Device], replicas: Sequence[Replica]) -> None:
        self._park = park
        self._devices = devices
        self._replicas = replicas
        self._draw: random.Random = park.draw
        self._made = 0

    async def carry_out(self) -> None:
        """All that is done in the run's window."""
        family, began = self._park.family, self._park.loop.now
        moments = sorted(self._draw.random() * family.window for _ in range(family.actions))
        doing = []
        for moment in moments:
            await asyncio.sleep(max(moment - self._park.loop.now + began, 0))
            doing += self._next()
        await asyncio.wait(doing, timeout=family.window)

    def _next(self) -> "list[asyncio.Task[None]]":
        self._misfortune()
        device = self._draw.choice(self._devices)
        weights = {name: getattr(self._park.family.habits, name) for name in Habits.__dataclass_fields__}
        (what,) = self._draw.choices(list(weights), list(weights.values()))
        if what == "offline":
            return [self._park.loop.spawn(self._park.loop.world, self._away(device))]
        if device.session is None:
            return []
        return [self._park.loop.spawn(device.process, self._do(device, what))]

    def _misfortune(self) -> None:
        rates, network = self._park.family.rates, self._park.network
        if network.chance(rates.crash_client):
            self._draw.choice(self._devices).process.steps_left = self._draw.randrange(DYING) + 1
        if network.chance(rates.crash_replica):
            self._draw.choice(self._replicas).process.steps_left = self._draw.randrange(DYING) + 1
        if network.chance(rates.partition):
            device, replica = self._draw.choice(self._devices), self._draw.choice(self._replicas)
            network.cut(device.name, replica.name, self._draw.random() * rates.cut)

    async def _away(self, device: Device) -> None:
        await device.stop()
        await asyncio.sleep(self._draw.random() * AWAY)
        device.start()

    async def _do(self, device: Device, what: str) -> None:
        session = device.session
        assert session is not None, "the device is open"
        if what in ("create", "claim", "sync"):
            await device.act(*self._without_chat(device, what))
            return
        chats = [chat for chat in await session.chats() if chat.standing is Standing.ACTIVE]
        if not chats:
            await device.act("sync", lambda session: session.receive())
            return
        chat = min(chats, key=lambda each: self._draw.random())
        await device.act(*await self._in_chat(device, session, chat, what))

    def _without_chat(self, device: Device, what: str) -> tuple[str, Deed]:
        others = [each for each in NUMBERS if number(device.name) != NUMBERS[each]]
        if what == "sync":
            return "sync", lambda session: session.receive()
        if what == "claim":
            whom = self._draw.choice(others)
            return f"claim {whom}", lambda session: session.delivery.claim_key_packages(NUMBERS[whom])
        chosen = self._draw.sample(others, self._draw.randint(1, len(others)))
        self._made += 1
        name = f"chat {self._made}"
        admins = [NUMBERS[each] for each in chosen[:1]] if self._park.family.habits.admin else []
        numbers = [NUMBERS[each] for each in chosen]
        return f"create {name} with {chosen}", lambda session: session.create_chat(name, numbers, admins=admins)

    async def _in_chat(self, device: Device, session: Session, chat: Chat, what: str) -> tuple[str, Deed]:
        group = chat.group_id
        name = self._park.group(group)
        whom = self._draw.choice([each for each in NUMBERS if NUMBERS[each] != number(device.name)])
        match what:
            case "say":
                self._made += 1
                words = f"{device.name} says {self._made}"
                return f"say {self._made} in {name}", lambda session: session.send(group, words)
            case "invite":
                return f"invite {whom} to {name}", lambda session: session.add(group, [NUMBERS[whom]])
            case "remove":
                return f"remove {whom} from {name}", lambda session: session.remove(group, [NUMBERS[whom]])
            case "leave":
                return f"leave {name}", lambda session: session.leave(group)
            case "refresh":
                return f"refresh {name}", lambda session: session.refresh(group)
            case "admin":
                to = self._draw.random() < 0.7
                words = f"{'make' if to else 'unmake'} {whom} admin of {name}"
                return words, lambda session: session.set_admin(group, NUMBERS[whom], admin=to)
            case _:
                self._made += 1
                return f"rename {name}", lambda session: self._rename(session, group, f"called {self._made}")

    async def _rename(self, session: Session, group: bytes, name: str) -> None:
        def rename() -> None:
            with session.steps.store.transaction():
                session.steps.chats.rename(group, name, own=True)
                session.steps.sender.queue_title(group, session.now())

        await session.worker.run(rename)
        await session.drive(group)
