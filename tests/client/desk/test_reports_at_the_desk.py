"""Reports and statuses as a screen sees them: the whole of a report before it is sent, and each number's status."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from client.defence.report_words import VEILED, report_lines, standing_lines
from client.desk.desk import Desk, open_desk
from client.desk.views import MessageView
from client.errors import ChatError, ServiceError
from identity.number import TelephoneNumber

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
PASSPHRASE = "correct horse"


@pytest.fixture
async def desks(world) -> AsyncIterator[list[Desk]]:
    async with AsyncExitStack() as stack:
        opened = []
        for number in (ALICE, BOB, CAROL):
            await world.enrol(number)
            opening = open_desk(
                world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
            )
            opened.append(await stack.enter_async_context(opening))
            await opened[-1].device.sync()
        yield opened


async def asked(spammer: Desk, victim: Desk, number: TelephoneNumber, text: str = "You have won.") -> MessageView:
    """A stranger has written; the row behind the request."""
    chat = await spammer.chats.direct(number.e164)
    await spammer.messages.send(chat.group, text)
    await spammer.device.sync()
    await victim.device.sync()
    (request,) = [each for each in await victim.people.requests() if each.number == ALICE.e164]
    assert request.row is not None
    return await victim.messages.get(request.row)


async def test_a_preview_is_all_of_a_report_and_sends_nothing(desks: list[Desk]) -> None:
    spammer, bob, carol = desks
    row = (await asked(spammer, bob, BOB)).row

    shown = await bob.messages.report_preview([row], "scam", "twice today")

    assert (shown.accused, shown.kind, shown.note, shown.sent, shown.proves) == (
        ALICE.e164,
        "scam",
        "twice today",
        False,
        True,
    )
    assert [item.text for item in shown.items] == ["You have won."]
    assert shown.numbers == [ALICE.e164, BOB.e164]
    assert shown.size == len(shown.json)
    assert json.loads(json.loads(shown.json)["evidence"])["note"] == "twice today"
    assert (await carol.device.statuses(refresh=True)).count == 0
    assert (await bob.messages.get(row)).reported is None


async def test_what_was_shown_is_sent_and_the_row_says_so(desks: list[Desk]) -> None:
    spammer, bob, _ = desks
    row = (await asked(spammer, bob, BOB)).row
    shown = await bob.messages.report_preview([row])

    sent = await bob.messages.report([row])

    assert (sent.sent, sent.counted, sent.sha256) == (True, True, shown.sha256)
    assert "counts" in sent.words
    assert (await bob.messages.get(row)).reported is not None


async def test_a_status_is_seen_where_its_number_is_seen(desks: list[Desk]) -> None:
    spammer, bob, carol = desks
    await carol.people.know(ALICE.e164)
    group = await spammer.chats.create("neighbours", [CAROL.e164])
    await carol.device.sync()
    assert (await carol.people.status(ALICE.e164)).known

    await bob.messages.report([(await asked(spammer, bob, BOB)).row])
    listed = await carol.device.statuses(refresh=True)

    found = await carol.people.status(ALICE.e164)
    assert (listed.count, listed.fresh) == (1, True)
    assert (found.status, found.label) == ("reported", "⚑ REPORTED")
    assert {each.number: each.status for each in await carol.chats.members(group.group)} == {
        ALICE.e164: "reported",
        CAROL.e164: "clear",
    }
    await bob.device.statuses(refresh=True)
    (request,) = await bob.people.requests()
    assert request.status == "reported"


async def test_a_list_that_has_ended_holds_nothing_against_anybody(world, desks: list[Desk]) -> None:
    spammer, bob, _ = desks
    await bob.messages.report([(await asked(spammer, bob, BOB)).row])
    await bob.device.statuses(refresh=True)
    world.network.down.add("authority.test")
    world.clock.now += 3_600

    listed, found = await bob.device.statuses(), await bob.people.status(ALICE.e164)

    assert (listed.fresh, found.status, found.known) == (False, "clear", False)
    findings = {each.subject: each for each in await bob.device.doctor()}
    assert not findings["reported numbers"].right
    assert "cannot be refreshed since" in findings["reported numbers"].words


async def test_the_reported_number_sees_its_standing_and_appeals_once(desks: list[Desk]) -> None:
    spammer, bob, _ = desks
    await bob.messages.report([(await asked(spammer, bob, BOB)).row], "scam")

    standing = await spammer.device.standing()
    appealed = await spammer.device.standing("It was a raffle.")

    assert (standing.status, standing.count, standing.kinds, standing.appeal) == ("reported", 1, {"scam": 1}, None)
    assert appealed.appeal == "It was a raffle."
    assert "1 independent report (1 for scam)." in "\n".join(standing_lines(standing))
    with pytest.raises(ServiceError) as caught:
        await spammer.device.standing("It was, really.")
    assert caught.value.code == "appealed"


async def test_kinds_and_notes_are_bounded(desks: list[Desk]) -> None:
    spammer, bob, _ = desks
    row = (await asked(spammer, bob, BOB)).row
    for kind, note, code in (("boring", "", "report-kind"), ("spam", "x" * 501, "note-too-long")):
        with pytest.raises(ChatError) as caught:
            await bob.messages.report_preview([row], kind, note)
        assert caught.value.code == code


async def test_words_of_strangers_can_be_left_out_of_what_is_read_out(desks: list[Desk]) -> None:
    spammer, bob, _ = desks
    shown = await bob.messages.report_preview([(await asked(spammer, bob, BOB, "\x1b[2JWin")).row])
    veiled, whole = ("\n".join(report_lines(shown, veiled=veiled)) for veiled in (True, False))
    assert VEILED in veiled
    assert "Win" not in veiled
    assert "Win" in whole
    assert "\x1b" not in whole


async def test_what_a_request_can_be_reported_by_is_known_without_reading_it(desks: list[Desk]) -> None:
    spammer, bob, _ = desks
    row = await asked(spammer, bob, BOB)
    await asked(spammer, bob, BOB, "Hurry.")
    rows = await bob.people.reportable(row.group)
    assert rows[0] == row.row
    assert len(rows) == 2
    assert rows == sorted(rows)


async def test_what_was_edited_after_it_was_shown_is_not_sent_unseen(desks: list[Desk]) -> None:
    spammer, bob, carol = desks
    group = (await bob.chats.direct(ALICE.e164)).group
    await bob.device.sync()
    await spammer.device.sync()
    sent = await spammer.messages.send(group, "You have won.")
    await spammer.device.sync()
    await bob.device.sync()
    (row,) = await bob.people.reportable(group)
    shown = await bob.messages.report_preview([row])
    await spammer.messages.edit(sent.row, "You have won, Bob of Elm Street 4.")
    await spammer.device.sync()
    await bob.device.sync()

    with pytest.raises(ChatError) as caught:
        await bob.messages.report([row], shown=shown.sha256)
    assert caught.value.code == "report-changed"
    assert (await carol.device.statuses(refresh=True)).count == 0

    again = await bob.messages.report_preview([row])
    assert len(again.items) == 2
    assert (await bob.messages.report([row], shown=again.sha256)).counted
