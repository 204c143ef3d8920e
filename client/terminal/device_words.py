"""The devices of one's own number, and the linking of one, in words."""

from typing import TYPE_CHECKING

from client.desk.device_views import LinkView, OwnDeviceView
from client.formats.text import safe_text
from client.words.spelling import counted, shown_number

if TYPE_CHECKING:
    from client.credentials.link_here import Linked

STATE_WORDS = {"valid": "✓ valid", "expired": "~ expired", "revoked": "✗ revoked", "": "- no certificate seen"}
KEY_DIGITS = 8  # of a key, as it is shown
COMPARE = "Does the new device show the same digits?"
REMOVE = "Take it out of all your chats, and have its certificate revoked?"
LOST = (
    "Its key may be in other hands: what it has signed shows nothing any more then, also what it sent before. Take it "
    "out of all your chats, and have its certificate revoked for that?"
)
COMPARE_THERE = "Compare them, and agree there."
SHOW_CODE = (
    "On the device that has your number, open /devices and choose to link another one, or run ringtrue devices add. "
    "It shows a code."
)
IS_LOST = "Is it lost, or in other hands? What it has signed shows nothing any more then, also what it sent before."
SECRET = "Whoever sees the code can use it: let nobody look on."  # noqa: S105 - no password


def device_lines(device: OwnDeviceView) -> list[str]:
    """One device, and under it what it is not in yet."""
    ends = "" if device.certificate_ends is None else f" until {device.certificate_ends:%Y-%m-%d}"
    since = "" if device.since is None else f", since {device.since:%Y-%m-%d}"
    head = f"{called(device)}: {STATE_WORDS[device.state]}{ends}. {device.words[:1].upper()}{device.words[1:]}"
    lines = [f"{head}{since}; in {counted(len(device.chats), 'chat')}."]
    return lines + [f"Not in “{each.chat}” yet{f': {each.why}' if each.why else ''}" for each in device.left_out]


def removed_words(key: str, left: list[OwnDeviceView]) -> str:
    """What became of removing a device, by the devices that are left."""
    unfinished = [f"{each.words[:1].upper()}{each.words[1:]}." for each in left if each.key == key]
    return "".join(unfinished) or "It is removed, and its certificate revoked."


def called(device: OwnDeviceView | LinkView) -> str:
    """A device by its key, and what it calls itself."""
    return f"{device.key[:KEY_DIGITS]} {device.name}".strip()


def compare_there(digits: str) -> str:
    """What the person before the new device is to do with the digits."""
    return (
        f"Does the other device show {digits}? Then agree there. If it shows others, or none, say no there, and begin "
        "again where nobody looks on."
    )


def wanted_here(number: str, authority: str) -> str:
    """The question to the person before the new device."""
    return f"Have {number}, certified by {safe_text(authority).text}, on this device?"


def linked_words(linked: "Linked") -> str:
    """What came of linking this device; what troubled it is said elsewhere."""
    words = f"{shown_number(linked.account.number.e164)} is ready on this device"
    if linked.trouble is not None:
        return f"{words}. It comes into your chats by itself when it is online."
    words += f", in {counted(linked.chats, 'chat')}."
    if linked.left_out:
        words += f" {counted(linked.left_out, 'chat')} did not take it; the other device says why, where it lists them."
    if not linked.finished:
        words += " The other device did not say that it is done; it goes on by itself when it is next used."
    return words


def link_words(link: LinkView) -> str:
    """How far a linking is, and what is to be done now."""
    match link.state:
        case "waiting":
            command = f"ringtrue link {link.code} --authority {link.authority}"
            until = f"{link.ends.astimezone():%H:%M}"
            good = f"The code is good for one device, until {until}. {SECRET}"
            return f"On the new device, start Ringtrue or run: {command}\n{good}"
        case "comparing":
            return f"{called(link)} wants to have your number. It must show these digits: {link.comparison}"
        case "granting":
            return f"{called(link)} may have your number, and gets its certificate."
        case "adding":
            return f"{called(link)} has its certificate, and comes into your chats."
        case "done":
            lines = [f"{called(link)} is linked, and in {counted(link.chats, 'chat')}."]
            return "\n".join(lines + [f"Not in “{each.chat}” yet: {each.why}" for each in link.left_out])
        case "ended":
            why = f"{link.why[:1].upper()}{link.why[1:]}".rstrip(".")
            return f"{why}. {link.hint}".strip()
