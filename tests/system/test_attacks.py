"""Each attack, with real octets through the real services, is stopped by its own guard.

With the guard switched off, and one after the other those behind it, the attacker reaches what the attack is for.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.attacks import removed_member
from lab.attacks.attack import Attack
from lab.attacks.catalogue import ATTACKS
from lab.attacks.table import DOCUMENT, written_into
from lab.casting import cast
from lab.seams.seam import without
from lab.stage import Stage
from lab.world import World

REPEATABLE = [attack for attack in ATTACKS if attack is not removed_member.ATTACK]
STEPS = [(attack, off) for attack in ATTACKS for off in range(1, len(attack.without) + 1)]

BETWEEN = 600  # seconds from one attack to the next, so that no limit for an hour or a day stops it


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """One world for all attacks that leave Mallory in the group; they are played in any order."""
    async with World() as world:
        yield await cast(world)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("attack", REPEATABLE, ids=lambda attack: attack.name)
async def test_attack_is_stopped_by_its_guard(attack: Attack, stage: Stage) -> None:
    stage.world.clock.advance(BETWEEN)
    told = len(stage.said)
    outcome = await attack.run(stage)
    assert outcome.by == attack.guard, outcome.reason
    assert not outcome.won
    assert all(said.verified for said in stage.said[told:])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("attack", "off"), STEPS, ids=lambda value: getattr(value, "name", value))
async def test_attack_meets_the_next_guard_and_then_none(attack: Attack, off: int, stage: Stage) -> None:
    stage.world.clock.advance(BETWEEN)
    stage = await stage.elsewhere() if attack.spoils else stage
    with without(stage.world, attack.without[:off]):
        outcome = await attack.run(stage)
    following = attack.without[off].guard if off < len(attack.without) else None
    assert outcome.by == following, outcome.reason
    assert outcome.won is (following is None), outcome.reason


@pytest.mark.asyncio(loop_scope="module")
async def test_every_guard_stands_again_where_it_was_switched_off(stage: Stage) -> None:
    seams = dict.fromkeys(seam for attack in ATTACKS for seam in attack.without)
    with without(stage.world, [*seams]):
        outcome = await ATTACKS[0].run(stage)
        assert outcome.won
    stage.world.clock.advance(BETWEEN)
    for attack in REPEATABLE[:20]:
        assert (await attack.run(stage)).by == attack.guard
    assert (await stage.say(stage.alice, "Everything is as before.")).verified


async def test_removed_member_is_refused_and_the_others_go_on() -> None:
    async with World() as world:
        stage = await cast(world)
        outcome = await removed_member.ATTACK.run(stage)
        assert outcome.by == removed_member.ATTACK.guard, outcome.reason
        assert (await stage.say(stage.alice, "Now we are among us.")).verified


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_guard_is_the_first_that_is_switched_off(attack: Attack) -> None:
    assert attack.without[0].guard == attack.guard


def test_threat_model_lists_the_catalogue_as_it_is() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert written_into(document) == document


def test_catalogue_names_each_attack_once_and_ends_with_the_removal() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert ATTACKS[-1] is removed_member.ATTACK
