"""What stands between two devices that are linked and whoever is in their way: the boxes, the slots, the digits."""

from collections.abc import Callable
from typing import TypeAlias

from client.credentials.link_channel import LinkChannel
from identity.authority.links.mailboxes import Mailboxes
from lab.attacks.outcome import Guard, Keeper
from lab.seams.seam import Place, exchanging, instead

Put: TypeAlias = Callable[[Mailboxes, str, str, bytes, str, int], None]


class Unsealed:
    """A cipher that leaves everything as it is."""

    def encrypt(self, nonce: bytes, message: bytes, associated: bytes) -> bytes:
        """Return the message."""
        return message

    def decrypt(self, nonce: bytes, box: bytes, associated: bytes) -> bytes:
        """Return the box."""
        return box


def linking(rule: str) -> Guard:
    """The guard that is an error of one of the devices, by its code, or the digits that a person compares."""
    return Guard(Keeper.LINKING, rule)


def _unsealed(_: LinkChannel) -> Unsealed:
    return Unsealed()


def _again(put: Put) -> Put:
    """Let a later box take the place of an earlier one."""

    def putting(self: Mailboxes, mailbox: str, slot: str, box: bytes, address: str, now: int) -> None:
        with self._store.transaction():
            self._store.execute("DELETE FROM link_box WHERE mailbox = ? AND slot = ?", mailbox, slot)
        put(self, mailbox, slot, box, address, now)

    return putting


def _kept(self: Mailboxes, mailbox: str, slot: str, now: int) -> bytes | None:
    """Let a box be taken by everybody who asks."""
    with self._store.transaction():
        row = self._store.row("SELECT box FROM link_box WHERE mailbox = ? AND slot = ?", mailbox, slot)
    return None if row is None else row[0]


def _pass(*_: object) -> None:
    """Close nothing."""


SEALS = exchanging(linking("link-box"), instead(LinkChannel, "_cipher", _unsealed))
ONE_USE = exchanging(
    linking("link-closed"),
    Place(Mailboxes, "put", _again),
    instead(Mailboxes, "take", _kept),
    instead(Mailboxes, "close", _pass),
)
DIGITS = exchanging(linking("comparison"), instead(LinkChannel, "comparison", property(lambda _: "0000 0000")))
