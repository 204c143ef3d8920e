"""A code for linking a device, read by somebody who stood behind its owner."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from client.credentials.link_channel import LinkChannel
from client.credentials.link_here import NEW
from client.credentials.link_messages import Grant, Offer
from client.credentials.meeting import Meeting
from client.errors import ClientError
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.linking import Home, at_home
from lab.seams import linking
from lab.stage import Stage

SENT = "the genuine code, used before Dora's tablet used it"


async def run(stage: Stage) -> Outcome:
    """Read the code off Dora's screen, and be faster than she is."""
    async with at_home(stage) as home, _first(stage, home):
        await home.until_comparing()
        home.use_code()
        return await home.compared(SENT)


@asynccontextmanager
async def _first(stage: Stage, home: Home) -> AsyncIterator[None]:
    """Take the tablet's place, and wait for what it is granted."""
    url, channel = stage.world.authority_url, LinkChannel(home.code.secret)
    async with Meeting(url, channel, NEW, clock=stage.world.clock) as meeting:
        await meeting.heard(Offer)
        await meeting.say(home.intruder.hello)
        waiting = asyncio.create_task(_wait(meeting, home))
        try:
            yield
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def _wait(meeting: Meeting, home: Home) -> None:
    try:
        home.intruder.grant.set_result(await meeting.heard(Grant))
    except ClientError:
        return  # the first device has ended it


ATTACK = Attack(
    "overseen-code",
    "Use the code first",
    "Mallory reads the code off Dora's screen, and links her own device with it before Dora does.",
    linking.ONE_USE.guard,
    run,
    story=(
        "Dora's telephone shows a code for her tablet, and Mallory stands behind her. She has the code, gives her own "
        "device the tablet's name, and is faster: the telephone hears of a device and shows eight digits to compare. A "
        "code serves one device: the tablet says that it is used and that somebody else may have seen it, and Dora "
        "says no. If both could use it, the digits on the two screens would differ, because each is made of all that "
        "this device has seen."
    ),
    has="the code, at the same moment",
    sees="the new device: the code is used; no digits to agree to",
    without=(linking.ONE_USE, linking.DIGITS),
)
