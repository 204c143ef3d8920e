"""Franking: whether the delivery service can confirm a message, by the keys that this account has from it.

The first key that a service shows is kept. A later one is used only after a person has decided so: whoever can slip in
a key can make franks that an honest service never made, or let honest ones look wrong.
"""

from dataclasses import dataclass

import mls_rs

from client.credentials.account import Account
from client.defence.admission import Frank
from client.errors import ChatError, FrankingKeyError
from client.records.message import Message
from client.steps.device import number_of
from client.storage.store import Store
from delivery_service.wire import Entry
from identity.binding import group_uri, user_uri
from identity.errors import FrankingError
from identity.reports.franking import FrankingContext, HubKey, decode_aad, encode_aad, franking_tag, key_id_of
from identity.reports.report import EvidenceItem


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key of the service that this account uses, and since when."""

    key_id: str
    since: int


def tagged(framed: bytes) -> bytes:
    """The authenticated_data of a message with this content: a commitment that says nothing to who lacks it."""
    return encode_aad(franking_tag(framed))


def franked_item(message: Message, host: str) -> EvidenceItem:
    """A message for a report by its frank alone, at the delivery service `host`. Raises ChatError if it has none."""
    if message.franked is None or message.sender is None or message.at_ms is None:
        raise ChatError(
            "the delivery service has not confirmed this message",
            code="not-confirmed",
            hint="Report it with the proof of its number, where it has one.",
        )
    return EvidenceItem(
        framed=message.framed,
        passport="",
        chain=(),
        group=group_uri(host, message.group_id),
        epoch=0,
        leaf=0,
        arrived=message.arrived,
        sender=user_uri(host, message.sender),
        accepted_ms=message.at_ms,
        frank=message.franked,
    )


class Franking:
    """Keeps the service's keys and checks franks; runs inside the caller's transaction."""

    def __init__(self, store: Store, account: Account) -> None:
        self._store = store
        self._host = account.host
        self._keys: dict[bytes, HubKey] | None = None

    def check(self, application: mls_rs.Application, framed: bytes, group_id: bytes, entry: Entry) -> Frank:
        """Whether tag and frank fit what was decrypted, who sent it by its MLS credential, and what the log says.

        A tag of other octets is wrong whatever the service made of it: the sender hides the message from reports.
        """
        try:
            tag = decode_aad(application.authenticated_data)
            if tag is None:
                return Frank.ABSENT if entry.frank is None else Frank.WRONG
            if tag != franking_tag(framed):
                return Frank.WRONG
            if entry.frank is None or not self.keys:
                return Frank.ABSENT
            key = self.keys.get(key_id_of(entry.frank))
            if key is None:
                return Frank.WRONG
            key.verify(tag, self.context(group_id, application.sender, entry.at_ms), entry.frank)
        except FrankingError:
            return Frank.WRONG
        return Frank.GOOD

    def context(self, group_id: bytes, sender: mls_rs.Member, accepted_ms: int) -> FrankingContext:
        """What the service must have franked for an entry of this sender."""
        room = group_uri(self._host, group_id)
        return FrankingContext(user_uri(self._host, number_of(sender)), room, accepted_ms)

    @property
    def keys(self) -> dict[bytes, HubKey]:
        """The keys in use, by their ids."""
        if self._keys is None:
            points = (row[0] for row in self._store.rows("SELECT point FROM franking_key"))
            self._keys = {key.key_id: key for key in map(HubKey.from_point, points)}
        return self._keys

    def kept(self) -> list[KeptKey]:
        """The keys in use, oldest first."""
        rows = self._store.rows("SELECT point, since FROM franking_key ORDER BY since, point")
        return [KeptKey(HubKey.from_point(point).key_id.hex(), since) for point, since in rows]

    def learn(self, point: bytes, now: int) -> None:
        """Keep the first key that the service shows. Raises FrankingKeyError for another one, which changes nothing."""
        key = HubKey.from_point(point)
        if key.key_id in self.keys:
            return
        if self.keys:
            raise FrankingKeyError(
                f"the delivery service shows another franking key than before: {key.key_id.hex()}",
                hint="Ask its operator why. What it confirms with this key is held back until you decide: "
                f"ringtrue franking use {key.key_id.hex()}",
            )
        self._keep(key, now)

    def use(self, key_id: str, point: bytes, now: int) -> None:
        """Use the key that the service shows now, beside earlier ones. Raises FrankingKeyError if it is another."""
        key = HubKey.from_point(point)
        if key.key_id.hex() != key_id:
            raise FrankingKeyError(
                f"the delivery service does not show the key {key_id!a} but {key.key_id.hex()}",
                code="franking-key",
                hint="See what it shows: ringtrue franking list",
            )
        self._keep(key, now)

    def _keep(self, key: HubKey, now: int) -> None:
        with self._store.transaction():
            self._store.execute("INSERT OR IGNORE INTO franking_key VALUES (?, ?)", key.point, now)
        self._keys = None
