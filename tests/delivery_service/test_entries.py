"""Reading a group: answered ahead of the framework, and no other than within it."""

import pytest

from tests.delivery_service.conftest import path_of

ALICE, BOB = "+12025550142", "+12025550143"


@pytest.mark.parametrize(
    "query", ["", "?after=x", "?after=-1", "?after=9223372036854775808", "?wait=x", "?wait=999999"]
)
async def test_a_read_is_answered_alike_ahead_of_the_framework_and_within_it(world, query) -> None:
    alice, bob = await world.device(ALICE), await world.device(BOB)
    group = await alice.create()
    for device in (alice, bob):
        for group_id in (group.group_id, b"another group"):
            ahead, within = [await device.call(how, f"{path_of(group_id)}/entries{query}") for how in ("GET", "HEAD")]
            assert ahead.status_code == within.status_code
            assert ahead.headers["content-type"] == within.headers["content-type"]
            assert ahead.headers["content-length"] == within.headers["content-length"]


async def test_a_read_without_a_session_is_refused(world, problem_word) -> None:
    alice = await world.device(ALICE)
    group = await alice.create()
    alice.token = "none"
    answer = await alice.read_answer(group.group_id)
    assert (answer.status_code, problem_word(answer)) == (401, "session-expired")


async def test_of_a_cursor_that_comes_twice_the_last_counts(world) -> None:
    alice = await world.device(ALICE)
    group = await alice.create()
    for _ in range(3):
        await alice.say(group, b"hello")
    answer = await alice.call("GET", f"{path_of(group.group_id)}/entries?after=0&other=&after=3")
    whole = await alice.read_answer(group.group_id)
    assert 0 < len(answer.content) < len(whole.content)


async def test_an_address_below_the_entries_is_none(world) -> None:
    alice = await world.device(ALICE)
    group = await alice.create()
    assert (await alice.call("GET", f"{path_of(group.group_id)}/more/entries")).status_code == 404
    assert (await alice.call("PUT", f"{path_of(group.group_id)}/entries")).status_code == 405
