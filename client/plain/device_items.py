"""The main menu, as far as it is about the devices of one's own number."""

from client.failures import EXPECTED, hint_inside
from client.plain.account_items import qr_rows
from client.plain.item import Item
from client.plain.talk import Talk
from client.terminal.device_words import (
    COMPARE,
    IS_LOST,
    REMOVE,
    called,
    device_lines,
    link_words,
    removed_words,
)

LINK = "Link another device"
_WAITING = "To cancel: Ctrl+C."


async def _devices(talk: Talk, argument: str) -> None:
    try:
        devices = await talk.api.devices.all(True)
    except EXPECTED as error:
        talk.paper.trouble(error)
        devices = await talk.api.devices.all()
    for device in devices:
        for words in device_lines(device):
            talk.paper.say(words)
    others = [device for device in devices if not device.this]
    chosen = await talk.chosen("Do what?", [LINK, *(f"Remove {called(device)}" for device in others)])
    if chosen == 0:
        await _link(talk, argument)
    elif chosen is not None and await talk.paper.agreed(REMOVE):
        lost = await talk.paper.agreed(IS_LOST)
        key = others[chosen - 1].key
        talk.paper.say(removed_words(key, await talk.api.devices.remove(key, lost)))


async def _link(talk: Talk, argument: str) -> None:
    link = await talk.api.devices.link()
    try:
        talk.paper.say(link_words(link))
        for row in qr_rows(link.uri, dark_window=argument.strip().lower() != "light"):
            talk.paper.say(row)
        talk.paper.say(_WAITING)
        while link.state not in ("done", "ended"):
            later = await talk.api.devices.linking(link.step)
            if later.step == link.step:
                continue
            again, link = later.state == link.state, later
            talk.paper.say(link.trouble or hint_inside(link_words(link)))
            if link.state == "comparing" and not again:
                link = await talk.api.devices.agree(await talk.paper.agreed(COMPARE))
    finally:
        if link.state in ("waiting", "comparing"):
            await talk.api.devices.cancel()


DEVICE_ITEMS = (Item("devices", "the devices of your number; link another, remove one", _devices, "light"),)
