"""The meeting place of two devices: each slot is written once and read once, and nothing stays."""

import asyncio

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.authority.links.mailboxes import BOXES_LIMIT
from identity.authority.links.wire import BOX_LIMIT, BOX_TYPE, MAILBOX_LIFETIME, WAIT_LIMIT
from identity.authority.rates import LINK_BOXES_PER_ADDRESS, LINK_QUESTIONS_PER_ADDRESS

MAILBOX = "0123456789abcdef" * 2
HEADERS = {"content-type": BOX_TYPE}


async def put(authority, box, mailbox=MAILBOX, slot="first"):
    return await authority.http.put(f"/v1/links/{mailbox}/{slot}", content=box, headers=HEADERS)


async def take(authority, mailbox=MAILBOX, slot="first", wait="0"):
    return await authority.http.post(f"/v1/links/{mailbox}/{slot}", params={"wait": wait})


async def close(authority, mailbox=MAILBOX):
    return await authority.http.delete(f"/v1/links/{mailbox}")


async def test_a_box_is_handed_over_once(authority, word):
    assert (await put(authority, b"sealed")).status_code == 201

    taken = await take(authority)

    assert (taken.status_code, taken.content) == (200, b"sealed")
    assert taken.headers["cache-control"] == "no-store"
    assert word(await take(authority)) == "link-closed"


async def test_a_slot_is_written_once_also_after_it_was_read(authority, word):
    await put(authority, b"sealed")
    assert word(await put(authority, b"another")) == "link-slot-taken"
    assert (await take(authority)).content == b"sealed"
    assert word(await put(authority, b"another")) == "link-slot-taken"


async def test_the_same_box_may_be_put_again_since_an_answer_can_be_lost(authority, word):
    for _ in range(2):
        assert (await put(authority, b"sealed")).status_code == 201
    assert (await take(authority)).content == b"sealed"
    assert (await put(authority, b"sealed")).status_code == 201
    assert word(await take(authority)) == "link-closed"


async def test_the_two_slots_of_a_mailbox_know_nothing_of_each_other(authority):
    await put(authority, b"of the first")
    assert (await take(authority, slot="new")).status_code == 204
    await put(authority, b"of the new one", slot="new")
    assert (await take(authority, slot="new")).content == b"of the new one"
    assert (await take(authority)).content == b"of the first"


async def test_who_waits_gets_the_box_as_soon_as_it_is_there(authority):
    waiting = asyncio.create_task(take(authority, wait=str(WAIT_LIMIT)))
    await put(authority, b"sealed")
    assert (await waiting).content == b"sealed"


async def test_who_waits_is_told_that_the_other_has_ended_it(authority, word):
    await put(authority, b"sealed")
    waiting = asyncio.create_task(take(authority, slot="new", wait=str(WAIT_LIMIT)))
    assert (await close(authority)).status_code == 204
    assert word(await waiting) == "link-closed"


async def test_a_closed_mailbox_gives_and_takes_nothing(authority, word):
    await put(authority, b"sealed")
    await close(authority)
    assert word(await take(authority)) == "link-closed"
    assert word(await put(authority, b"late", slot="new")) == "link-slot-taken"


async def test_a_mailbox_ends_with_everything_in_it(authority, clock):
    await put(authority, b"sealed")
    clock.now += MAILBOX_LIFETIME - 1
    await put(authority, b"later", slot="new")
    clock.now += 1
    assert (await take(authority)).status_code == 204
    assert (await take(authority, slot="new")).status_code == 204


async def test_a_box_outlives_a_restart(authority, open_at):
    await put(authority, b"sealed")
    assert (await take(await open_at())).content == b"sealed"


@pytest.mark.parametrize(("size", "expected"), [(0, "too-large"), (BOX_LIMIT + 1, "too-large")])
async def test_a_box_has_its_size(authority, problem, size, expected):
    refused = problem(await put(authority, b"x" * size))
    assert (refused.type.rpartition(":")[2], refused.limit_name) == (expected, "BOX_LIMIT")


async def test_the_largest_box_is_taken_whole(authority):
    await put(authority, b"x" * BOX_LIMIT)
    assert len((await take(authority)).content) == BOX_LIMIT


async def test_only_octets_are_taken(authority, word):
    refused = await authority.http.put(f"/v1/links/{MAILBOX}/first", json={"box": "sealed"})
    assert word(refused) == "unsupported-type"


@pytest.mark.parametrize("mailbox", ["0" * 31, "0" * 33, "A" * 32, "é" * 32, "..%2f" * 5])
async def test_a_mailbox_has_one_form_of_name(authority, word, mailbox):
    for answer in (
        await put(authority, b"x", mailbox),
        await take(authority, mailbox),
        await close(authority, mailbox),
    ):
        assert word(answer) == "not-found"


async def test_there_are_two_slots(authority, word):
    assert word(await put(authority, b"x", slot="third")) == "not-found"


@pytest.mark.parametrize("wait", ["-1", "21", "1.5", "x", "000", "٣"])
async def test_nobody_waits_for_longer_than_the_limit(authority, word, wait):
    assert word(await take(authority, wait=wait)) == "malformed"


async def test_boxes_and_questions_of_one_address_are_counted(authority, problem):
    for count in range(LINK_BOXES_PER_ADDRESS.count):
        assert (await put(authority, b"x", f"{count:032x}")).status_code == 201
    assert problem(await put(authority, b"x", "f" * 32)).limit_name == "LINK_BOXES_PER_ADDRESS"
    assert problem(await close(authority, "f" * 32)).limit_name == "LINK_BOXES_PER_ADDRESS"
    for _ in range(LINK_QUESTIONS_PER_ADDRESS.count):
        await take(authority, "e" * 32)
    assert problem(await take(authority, "e" * 32)).limit_name == "LINK_QUESTIONS_PER_ADDRESS"


async def test_there_is_room_for_so_many_boxes(open_at, problem):
    for address in range(BOXES_LIMIT // LINK_BOXES_PER_ADDRESS.count + 1):
        authority = await open_at(address=f"192.0.2.{address}")
        answers = [
            await put(authority, b"x", f"{address:016x}{count:016x}") for count in range(LINK_BOXES_PER_ADDRESS.count)
        ]
    assert problem(answers[-1]).limit_name == "BOXES_LIMIT"
    assert (await put(authority, b"x", "0" * 32)).status_code == 201, "the same box again needs no room"
    assert (await close(authority, "0" * 32)).status_code == 204, "what is there can always be ended"
    assert problem(await close(authority, "e" * 32)).limit_name == "BOXES_LIMIT"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mailbox=st.text("0123456789abcdef", min_size=32, max_size=32), box=st.binary(min_size=1, max_size=2000))
async def test_any_octets_come_out_as_they_went_in(open_at, mailbox, box):
    authority = await open_at(address=f"2001:db8:{mailbox[:4]}:{mailbox[4:8]}::1")
    if (await put(authority, box, mailbox)).status_code == 201:
        taken = await take(authority, mailbox)
        assert isinstance(taken, httpx.Response)
        assert taken.content == box
