"""Over an honest service no interleaving of what honest clients do makes any of them accuse anybody."""

from contextlib import AsyncExitStack, suppress

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from client.defence.lies import Lie
from client.errors import ChatError
from client.events import Gap
from client.session import Session
from identity.number import TelephoneNumber

PEOPLE = tuple(TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
WHO = st.integers(0, 2)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("send", "receive", "refresh", "reopen", "write offline", "react", "edit")), WHO),
        st.tuples(st.just("time"), st.integers(1, 3_600)),
        st.tuples(st.sampled_from(("remove", "add")), st.just(2)),
    ),
    min_size=3,
    max_size=14,
)


class Three:
    """Three people whose clients are closed and opened again; `group` is the chat that a script is played in."""

    def __init__(self, world, stack: AsyncExitStack) -> None:
        self.world = world
        self.stack = stack
        self.sessions: list[Session] = []
        self._open: list[AsyncExitStack] = []
        self.group = b""

    async def begin(self) -> None:
        for number in PEOPLE:
            await self.world.enrol(number)
            stack = await self.stack.enter_async_context(AsyncExitStack())
            self._open.append(stack)
            self.sessions.append(await stack.enter_async_context(self.world.open(number)))
            await self.sessions[-1].receive()

    async def reopen(self, who: int) -> None:
        await self._open[who].aclose()
        self.sessions[who] = await self._open[who].enter_async_context(self.world.open(PEOPLE[who]))

    async def play(self, what: str, who: int) -> None:
        if what == "time":
            self.world.clock.now += who
            return
        with suppress(ChatError):  # who was removed cannot act, who is there cannot be added
            await self._do(what, who, self.sessions[who])

    async def _do(self, what: str, who: int, session: Session) -> None:
        match what:
            case "send":
                await session.send(self.group, "word")
            case "receive":
                await session.receive()
            case "refresh":
                await session.refresh(self.group)
            case "reopen":
                await self.reopen(who)
            case "write offline":
                self.world.network.down.add("delivery.test")
                try:
                    await session.send(self.group, "later")
                finally:
                    self.world.network.down.clear()
            case "react" | "edit":
                await self._change(what, session)
            case "remove":
                await self.sessions[0].remove(self.group, [PEOPLE[who]])
            case "add":
                await self.sessions[0].add(self.group, [PEOPLE[who]])

    async def _change(self, what: str, session: Session) -> None:
        own = [row for row in await session.history(self.group) if row.kind == "sent"]
        if not own:
            return
        sender, now = session.steps.sender, int(self.world.clock())
        step = sender.queue_reaction if what == "react" else sender.queue_edit
        await session.worker.run(step, own[-1].id, "✓" if what == "react" else "other words", now)
        await session.drive(self.group)


@pytest.fixture
async def three(world, stack: AsyncExitStack) -> Three:
    three = Three(world, stack)
    await three.begin()
    return three


# Every failing script is short enough to be read; to shrink one would take minutes.
@settings(
    max_examples=30,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
async def test_honest_clients_over_an_honest_service_are_never_accused(
    three: Three, steps: list[tuple[str, int]]
) -> None:
    three.group = (await three.sessions[0].create_chat("honest", PEOPLE[1:])).group_id
    told = []
    for what, who in steps:
        await three.play(what, who)
    for _ in range(2):
        for session in three.sessions:
            told += await session.receive()
    assert not [event for event in told if isinstance(event, Gap)]
    for session in three.sessions:
        assert not [row.text for row in await session.history(three.group) if row.kind == "gap"]
        lookout = session.steps.lookout
        troubles = await session.worker.run(lookout.troubles.of, three.group)
        assert not [trouble for trouble in troubles if trouble.code is not Lie.READ_AGAIN]
        assert all(
            word.agrees is not False for word in (await session.worker.run(lookout.words.of, three.group)).values()
        )
