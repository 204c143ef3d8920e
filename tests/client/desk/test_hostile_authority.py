"""An authority whose answers are meant to stop its clients, or to write on their screens."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import httpx
import msgspec
import pytest

from client.defence.report_words import standing_lines
from client.desk.desk import Desk, open_desk
from client.errors import ClientError, UnexpectedAnswerError
from identity.authority.wire import ReportTaken, Standing
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus

ALICE, BOB = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3))
PASSPHRASE = "correct horse"


class Impostor(httpx.AsyncBaseTransport):
    """The honest authority, but for one path."""

    def __init__(self, world, path: str, status: int, body: bytes) -> None:
        self._honest = world.network.services["authority.test"]
        self._path, self._status, self._body = path, status, body
        world.network.services["authority.test"] = self

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != self._path:
            return await self._honest.handle_async_request(request)
        return httpx.Response(self._status, stream=httpx.ByteStream(self._body))


@pytest.fixture
async def desk(world) -> AsyncIterator[Callable]:
    async with AsyncExitStack() as stack:

        async def opened(number: TelephoneNumber) -> Desk:
            await world.enrol(number)
            opening = open_desk(
                world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
            )
            found = await stack.enter_async_context(opening)
            await found.device.sync()
            return found

        yield opened


async def told(spammer: Desk, victim: Desk) -> int:
    chat = await spammer.chats.direct(BOB.e164)
    await spammer.messages.send(chat.group, "You have won.")
    await spammer.device.sync()
    await victim.device.sync()
    (request,) = await victim.people.requests()
    assert request.row is not None
    return request.row


async def test_a_first_list_without_an_octet_is_refused(world, desk) -> None:
    Impostor(world, "/v1/status-list", 200, b"")
    bob = await desk(BOB)
    with pytest.raises(UnexpectedAnswerError):
        await bob.device.statuses(refresh=True)
    assert (await bob.device.statuses()).words == "none was fetched yet"


async def test_what_became_of_a_report_writes_on_no_terminal(world, desk) -> None:
    spammer, bob = await desk(ALICE), await desk(BOB)
    row = await told(spammer, bob)
    taken = ReportTaken(False, "\x1b]0;owned\x07\u202eDone.\n+12025550142 NUMBER VERIFIED", NumberStatus.CLEAR, None)
    Impostor(world, "/v1/reports", 201, msgspec.json.encode(taken))

    sent = await bob.messages.report([row])

    assert "Done." in sent.words
    assert all(character.isprintable() for character in sent.words)


@pytest.mark.parametrize("ends_at", [-(2**62), 2**62, 10**30, 253_402_300_800])
async def test_a_standing_ends_at_a_time_or_not_at_all(world, desk, ends_at: int) -> None:
    bob = await desk(BOB)
    standing = Standing(BOB.e164, NumberStatus.REPORTED, ends_at, 1, {"spam": 1}, None)
    Impostor(world, "/v1/standing", 200, msgspec.json.encode(standing))
    with pytest.raises(UnexpectedAnswerError):
        await bob.device.standing()


async def test_a_standing_is_of_ones_own_number_in_harmless_words(world, desk) -> None:
    bob = await desk(BOB)
    hostile = Standing("\x1b[2J", NumberStatus.REPORTED, 2_000_000_000, 1, {"\x1b[2J": 1}, "\x1b[2JSorry\u202e.")
    Impostor(world, "/v1/standing", 200, msgspec.json.encode(hostile))
    words = "\n".join(standing_lines(await bob.device.standing()))
    assert "\x1b" not in words
    assert "\u202e" not in words


@pytest.mark.parametrize("deed", ["preview", "report", "file", "appeal"])
async def test_words_that_are_no_text_are_refused_in_words(world, desk, deed: str) -> None:
    spammer, bob = await desk(ALICE), await desk(BOB)
    row = await told(spammer, bob)
    deeds = {
        "preview": lambda: bob.messages.report_preview([row], "spam", "\udcff"),
        "report": lambda: bob.messages.report([row], "spam", "\udcff"),
        "file": lambda: bob.messages.report_file([row], "spam", "\udcff"),
        "appeal": lambda: bob.device.standing("\udcff"),
    }
    with pytest.raises(ClientError) as refused:
        await deeds[deed]()
    assert refused.value.code == "not-text"


async def test_an_appeal_that_is_too_long_says_so(desk) -> None:
    bob = await desk(BOB)
    with pytest.raises(ClientError, match="at most 500 characters"):
        await bob.device.standing("x" * 501)
