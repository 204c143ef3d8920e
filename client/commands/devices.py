"""Commands about the devices of one's own number: see them, link another one, remove one; and the new device's side."""

import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import click
import msgspec

from client.commands.opened import PASSING, opened
from client.credentials.link_code import parse_link_code
from client.credentials.link_here import Keep, link_here
from client.desk.api import Api
from client.desk.device_views import LinkView, OwnDeviceView
from client.errors import ClientError, LinkError
from client.failures import failure
from client.storage.home import AUTHORITY
from client.terminal.device_words import (
    COMPARE,
    COMPARE_THERE,
    REMOVE,
    device_lines,
    link_words,
    linked_words,
    wanted_here,
)
from client.terminal.qr import coloured_rows
from client.terminal.rendering import show
from client.terminal.voices import Listing, Terminal, account_command
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

_YES = click.option("--yes", is_flag=True, help="Ask nothing: for scripts that have compared the digits.")


@click.group(cls=Listing)
def devices() -> None:
    """See the devices of your number, link another one, or remove one."""


@devices.command("list")
@click.option("--offline", is_flag=True, help="Do not ask the authority what it has certified.")
@account_command
async def devices_list(terminal: Terminal, offline: bool) -> None:
    """List the devices of your number, and in which chats each is."""
    async with opened(terminal) as api:
        for device in await _all(terminal, api, ask=not offline):
            tell_device(terminal, device)


@devices.command("add")
@_YES
@account_command
async def devices_add(terminal: Terminal, yes: bool) -> None:
    """Show a code for another device, which is to have your number, too."""
    async with opened(terminal, follow=True) as api, _cancelled_if_left(api):
        link = await api.devices.link()
        while True:
            _tell_link(terminal, link)
            if link.state == "comparing":
                link = await api.devices.agree(yes or _agreed(COMPARE))
            if link.state in ("done", "ended"):
                break
            link = await _next(api, link)
        if link.state == "ended":
            raise LinkError(link.why, code=link.error, hint=link.hint)


@devices.command("remove")
@click.argument("key")
@click.option("--lost", is_flag=True, help="Its key may be in other hands: what it has signed shows nothing any more.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@account_command
async def devices_remove(terminal: Terminal, key: str, lost: bool, yes: bool) -> None:
    """Take the device whose KEY begins so out of every chat, and have its certificate revoked."""
    async with opened(terminal) as api:
        found = _called(key, await api.devices.all()) or _called(key, await _all(terminal, api, ask=True))
        for device in found:
            tell_device(terminal, device)
        if found and not yes and not _agreed(REMOVE):
            raise LinkError("nothing was changed", code="device-not-agreed", hint="Answer the question, or add --yes.")
        for device in await api.devices.remove(key, lost):
            tell_device(terminal, device)


@click.command()
@click.argument("code")
@click.option("--authority", help=f"Where the devices meet, as the other one shows it.  [default: {AUTHORITY}]")
@click.option("--name", help="What this device is called on the other one.  [default: the machine's name]")
@_YES
@account_command
async def link(terminal: Terminal, code: str, authority: str | None, name: str | None, yes: bool) -> None:
    """Let this device have the number of another one, which shows CODE: run `ringtrue devices add` there."""
    parsed = parse_link_code(code)
    linked = await link_here(
        terminal.home,
        parsed,
        _Before(terminal, yes, terminal.new_passphrase()),
        authority=authority or parsed.authority or AUTHORITY,
        name=name or socket.gethostname(),
    )
    if linked.trouble is not None:
        terminal.hint(f"Trouble: {failure(linked.trouble).detail}")
    number, words = linked.account.number.e164, linked_words(linked)
    anchors = TrustAnchors.from_pem(linked.account.anchors).fingerprint.hex()
    terminal.tell("enrolled", words, number=number, home=str(terminal.home), anchors=anchors)


async def _all(terminal: Terminal, api: Api, *, ask: bool) -> list[OwnDeviceView]:
    """The devices; where the authority cannot be asked, what is known here."""
    try:
        return await api.devices.all(ask)
    except ClientError as error:
        if not ask or error.exit_code not in PASSING:
            raise
        terminal.hint(f"Not asked what the authority has certified: {error}")
        return await api.devices.all()


def _called(key: str, devices: list[OwnDeviceView]) -> list[OwnDeviceView]:
    """The others whose keys begin so."""
    return [each for each in devices if each.key.startswith(key.lower()) and not each.this]


def tell_device(terminal: Terminal, device: OwnDeviceView) -> None:
    """Show one device."""
    show(terminal, "own-device", "\n".join(device_lines(device)), device)


class _Before:
    """The person before the new device, at its terminal."""

    def __init__(self, terminal: Terminal, yes: bool, passphrase: str | None) -> None:
        self._terminal = terminal
        self._yes = yes
        self._passphrase = passphrase

    def compare(self, digits: str) -> None:
        self._terminal.hint(f"The other device must show these digits: {digits}\n{COMPARE_THERE}")

    async def agrees(self, number: TelephoneNumber, authority: str) -> bool:
        if self._yes:
            return True
        return _agreed(wanted_here(str(number), authority))

    async def protect(self, keep: Keep) -> None:
        await keep(self._passphrase)

    def hear(self, words: str) -> None:
        self._terminal.hint(f"{words} ...")


def _tell_link(terminal: Terminal, link: LinkView) -> None:
    """Show a step; an end is told as the error that it is."""
    if link.trouble:
        terminal.hint(f"Trouble: {link.trouble}")
        return
    if link.state == "ended":
        return
    drawn = [*coloured_rows(link.uri), ""] if link.state == "waiting" and sys.stdout.isatty() else []
    terminal.tell("link", "\n".join((*drawn, link_words(link))), **msgspec.to_builtins(link))


async def _next(api: Api, link: LinkView) -> LinkView:
    while (later := await api.devices.linking(link.step)).step == link.step:
        pass
    return later


@asynccontextmanager
async def _cancelled_if_left(api: Api) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        with suppress(ClientError):
            await api.devices.cancel()
        raise


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise LinkError("nobody is there to agree", code="device-not-agreed", hint="Answer the question, or add --yes.")
    return click.confirm(question, err=True)
