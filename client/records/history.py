"""What was said and what happened, in the store: messages with their proof and verdict, gaps and notices."""

import hashlib
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

import msgspec

from client.defence.admission import Admitted, Frank, Place
from client.errors import ChatError
from client.records.message import FINDABLE, Kind, Message, NewMessage
from client.records.search import Search
from client.storage.store import Row, Store
from identity.binding import MessageContext, Verification
from identity.number import TelephoneNumber

_COLUMNS = (
    "m.id, m.message_id, m.group_id, coalesce(c.name, ''), m.seq, m.kind, m.sender, m.text, coalesce(p.framed, x''), "
    "p.passport, p.verification, p.context, m.arrived, m.at_ms, m.place, m.why, m.in_reply_to, m.replaces, m.latest, "
    "m.withdrawn, m.mention, m.hidden, m.attached, m.saved, m.ends_at, m.rule, m.frank, o.state, o.reason, "
    "p.franked"
)
_TABLES = (
    "message m LEFT JOIN chat c ON c.group_id = m.group_id LEFT JOIN outbox o ON o.message = m.id "
    "LEFT JOIN proof p ON p.message = m.id"
)
_SELECT = f"SELECT {_COLUMNS} FROM {_TABLES}"  # noqa: S608 - constants
_UNSHOWN = "m.shown = 0 AND m.group_id NOT IN (SELECT group_id FROM chat WHERE consent <> 'inbox')"
_GAPS_AT_END = (
    "SELECT id, text FROM message WHERE group_id = ? AND place = 'inbox' AND kind = 'gap' AND id > coalesce("
    "(SELECT max(id) FROM message WHERE group_id = ? AND place = 'inbox' AND kind <> 'gap'), 0) ORDER BY id DESC"
)
CHAINS_LIMIT = 1_024  # of senders, kept in memory: about 2 kB each
_TIMES = re.compile(r" \((\d+) times\)\Z")


class StoredContext(msgspec.Struct, frozen=True):
    """A MessageContext whose chain and roster are in `shared` under these digests."""

    group_uri: str
    epoch: int
    sender_leaf: int
    sender_key: bytes
    chain: bytes
    roster: bytes
    own_number: str
    sender_since: int | None
    staple: bytes | None = None


class History:
    """The rows of `message`, and the content-addressed rows of `shared` that they refer to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.search = Search(store)
        self._chain = lru_cache(CHAINS_LIMIT)(self._stored_chain)

    def add(
        self, kind: Kind, new: NewMessage, chat: str, admitted: Admitted | None = None, *, own: bool = False
    ) -> Message:
        """Add a message to the chat of this name; returns its row. One's own count as shown from the start."""
        admitted = admitted or Admitted(Place.ASIDE if kind.is_aside else Place.INBOX, "")
        stored_context = None if new.context is None else self._store_context(new.context)
        row = self._insert(kind, new, admitted, own=own)
        self._keep_proof(row, new, stored_context)
        if admitted.place is Place.INBOX and kind in FINDABLE:
            self.search.add(row, new.text)
        return Message(
            id=row,
            message_id=new.message_id,
            group_id=new.group_id,
            chat=chat,
            seq=new.seq,
            kind=kind,
            sender=new.sender,
            text=new.text,
            framed=new.framed,
            passport=new.passport,
            verification=new.verification,
            stored_context=stored_context,
            arrived=new.arrived,
            at_ms=new.at_ms,
            place=admitted.place,
            why=admitted.why,
            in_reply_to=new.in_reply_to,
            replaces=new.replaces,
            latest=None,
            withdrawn=False,
            mention=new.mention,
            hidden=new.hidden,
            attached=new.attached,
            saved="",
            ends_at=new.ends_at,
            rule=admitted.rule,
            frank=new.frank,
            franked=new.franked,
        )

    def note(self, kind: Kind, group_id: bytes, seq: int | None, text: str, now: int, at_ms: int | None = None) -> int:
        """Add a gap or a notice; `text` is this program's own words."""
        return self._store.insert(
            "INSERT INTO message (message_id, group_id, seq, kind, sender, text, arrived, at_ms) "
            "VALUES ('', ?, ?, ?, '', ?, ?, ?)",
            group_id,
            seq,
            kind,
            text,
            now,
            at_ms,
        )

    def note_gap(self, group_id: bytes, seq: int | None, text: str, now: int, at_ms: int | None = None) -> None:
        """Add a gap, or count it where the same is said since the last other line: no member may fill a chat so."""
        rows = self._store.rows(_GAPS_AT_END, group_id, group_id)
        said = {row: _TIMES.sub("", before) for row, before in rows}
        same = next((row for row, before in said.items() if before == text), None)
        if same is None:
            self.note(Kind.GAP, group_id, seq, text, now, at_ms)
            return
        found = _TIMES.search(dict(rows)[same])
        times = 2 if found is None else int(found[1]) + 1
        self._store.execute("UPDATE message SET text = ? WHERE id = ?", f"{text} ({times} times)", same)

    def attested(self, message: int, passport: bytes, context: MessageContext) -> None:
        """Keep the proof that an own message was last encrypted with, and when that was."""
        self._store.execute(
            "UPDATE proof SET passport = ?, context = ? WHERE message = ?",
            passport,
            self._store_context(context),
            message,
        )
        self._store.execute("UPDATE message SET arrived = ? WHERE id = ?", context.arrived, message)

    def ordered(self, message: int, seq: int, at_ms: int) -> None:
        """Note an own message's place in the log."""
        self._store.execute("UPDATE message SET seq = ?, at_ms = ? WHERE id = ?", seq, at_ms, message)

    def get(self, message: int) -> Message:
        """One row by its row id. Raises ChatError."""
        found = self.select("WHERE m.id = ?", message)
        if not found:
            raise ChatError("there is no such message", code="unknown-message")
        return found[0]

    def find(self, message_id: str) -> Message:
        """One message by its id or an unambiguous beginning of it. Raises ChatError."""
        if not message_id or not message_id.isascii() or not message_id.isalnum():
            raise ChatError("a message id is hexadecimal", code="unknown-message")
        found = self.select("WHERE m.message_id >= ? AND m.message_id < ? LIMIT 2", message_id, message_id + "g")
        if len(found) != 1:
            problem = "more than one message's id begins" if found else "no message's id begins"
            raise ChatError(f"{problem} with {message_id}", code="unknown-message")
        return found[0]

    def in_group(self, group_id: bytes, message_id: str) -> Message | None:
        """The first message of this id in a chat."""
        found = self.select("WHERE m.message_id = ? AND m.group_id = ? ORDER BY m.id LIMIT 1", message_id, group_id)
        return found[0] if found else None

    def save_as(self, message: int, path: str) -> None:
        """Note where the file of a message was saved."""
        self._store.execute("UPDATE message SET saved = ? WHERE id = ?", path, message)

    def chat(self, group_id: bytes, limit: int = 1000, before: int | None = None) -> list[Message]:
        """The last rows of a chat, oldest first; `before` is a row id to page back from."""
        bound = 2**63 - 1 if before is None else before
        return self.select("WHERE m.group_id = ? AND m.id < ? ORDER BY m.id DESC LIMIT ?", group_id, bound, limit)[::-1]

    def unseen(self, limit: int) -> list[Message]:
        """Rows that were never shown, oldest first; those of a request wait until it is accepted."""
        return self.select(f"WHERE {_UNSHOWN} ORDER BY m.id LIMIT ?", limit)

    def mark_shown(self, last: int) -> None:
        """Note that every row up to this row id was shown, but for those of requests."""
        self._store.execute(f"UPDATE message AS m SET shown = 1 WHERE {_UNSHOWN} AND id <= ?", last)  # noqa: S608 - constants

    def holds(self, group_id: bytes, message_id: bytes, sender: TelephoneNumber) -> bool:
        """Whether there is a message of this id by this sender."""
        query = "SELECT 1 FROM message WHERE message_id = ? AND group_id = ? AND sender = ?"
        return self._store.row(query, message_id.hex(), group_id, sender.e164) is not None

    def seen_passport(self, group_id: bytes, replay_key: bytes) -> bool:
        """Whether a PASSporT was accepted in this group before."""
        query = "SELECT 1 FROM seen_passport WHERE group_id = ? AND replay_key = ?"
        return self._store.row(query, group_id, replay_key) is not None

    def remember_passport(self, group_id: bytes, replay_key: bytes, now: int) -> None:
        """Note that a PASSporT was accepted."""
        self._store.execute("INSERT OR IGNORE INTO seen_passport VALUES (?, ?, ?)", group_id, replay_key, now)

    def context(self, message: Message) -> MessageContext:
        """What this device knew when it checked the message. Raises ChatError where there is nothing to check."""
        if message.stored_context is None:
            raise ChatError("this row is no message with a proof", code="no-proof")
        stored = msgspec.msgpack.decode(message.stored_context, type=StoredContext)
        return MessageContext(
            group_uri=stored.group_uri,
            group_id=message.group_id,
            epoch=stored.epoch,
            sender_leaf=stored.sender_leaf,
            sender_chain=self._chain(stored.chain),
            sender_key=stored.sender_key,
            own_number=TelephoneNumber.from_digits(stored.own_number[1:]),
            member_numbers=frozenset(
                TelephoneNumber.from_digits(digits)
                for digits in msgspec.msgpack.decode(self._shared(stored.roster), type=list[str])
            ),
            arrived=message.arrived,
            sender_since=stored.sender_since,
            staple=stored.staple,
        )

    def sender_chain(self, stored_context: bytes) -> tuple[bytes, ...]:
        """The sender's chain in what is kept of a message's context."""
        return self._chain(msgspec.msgpack.decode(stored_context, type=StoredContext).chain)

    def _insert(self, kind: Kind, new: NewMessage, admitted: Admitted, *, own: bool) -> int:
        return self._store.insert(
            "INSERT INTO message (message_id, group_id, seq, kind, sender, text, arrived, at_ms, shown, verdict, "
            "place, why, in_reply_to, replaces, mention, hidden, attached, lives_for, ends_at, rule, frank) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            new.message_id,
            new.group_id,
            new.seq,
            kind,
            new.sender.e164,
            new.text,
            new.arrived,
            new.at_ms,
            own,
            "" if new.verification is None else new.verification.verdict,
            admitted.place,
            admitted.why,
            new.in_reply_to,
            new.replaces,
            new.mention,
            new.hidden,
            new.attached,
            new.lives_for,
            new.ends_at,
            admitted.rule,
            new.frank,
        )

    def _keep_proof(self, row: int, new: NewMessage, stored_context: bytes | None) -> None:
        self._store.execute(
            "INSERT INTO proof VALUES (?, ?, ?, ?, ?, ?)",
            row,
            new.framed,
            new.passport,
            None if new.verification is None else _without_evidence(new.verification).to_json(),
            stored_context,
            new.franked,
        )

    def _store_context(self, context: MessageContext) -> bytes:
        stored = StoredContext(
            context.group_uri,
            context.epoch,
            context.sender_leaf,
            context.sender_key,
            self._share(msgspec.msgpack.encode(context.sender_chain)),
            self._share(msgspec.msgpack.encode(sorted(number.digits for number in context.member_numbers))),
            context.own_number.e164,
            context.sender_since,
            context.staple,
        )
        return msgspec.msgpack.encode(stored)

    def _share(self, data: bytes) -> bytes:
        digest = hashlib.sha256(data).digest()
        self._store.execute("INSERT OR IGNORE INTO shared VALUES (?, ?)", digest, data)
        return digest

    def _shared(self, digest: bytes) -> bytes:
        row = self._store.row("SELECT data FROM shared WHERE digest = ?", digest)
        assert row is not None, "rows of `shared` are never deleted"
        return bytes(row[0])

    def select(self, condition: str, *values: object) -> list[Message]:
        """The rows of a condition over `m`, `c` and `o`, which is a constant of this package."""
        return [self._whole(_message(row)) for row in self._store.rows(f"{_SELECT} {condition}", *values)]

    def _whole(self, message: Message) -> Message:
        """Give a verdict back the evidence that stands beside it in the store."""
        verification = message.verification
        if verification is None or verification.evidence is None or verification.evidence.chain:
            return message
        if message.passport is None or message.stored_context is None:
            return message
        chain = self._chain(msgspec.msgpack.decode(message.stored_context, type=StoredContext).chain)
        evidence = verification.evidence._replace(chain=chain, passport=message.passport)
        return replace(message, verification=replace(verification, evidence=evidence))

    def _stored_chain(self, digest: bytes) -> tuple[bytes, ...]:
        return msgspec.msgpack.decode(self._shared(digest), type=tuple[bytes, ...])


def _without_evidence(verification: Verification) -> Verification:
    """A verdict without the chain and the token, which the row holds already; `History.select` puts them back."""
    if verification.evidence is None:
        return verification
    return replace(verification, evidence=verification.evidence._replace(chain=(), passport=b""))


def _message(row: Row) -> Message:
    id_, message_id, group_id, chat, seq, kind, sender, text, framed, passport, verification, *rest = row
    return Message(
        id_,
        message_id,
        group_id,
        chat,
        seq,
        Kind(kind),
        TelephoneNumber.from_digits(sender[1:]) if sender else None,
        text,
        framed,
        passport,
        None if verification is None else Verification.from_json(verification),
        *_typed(*rest),
    )


def _typed(
    context: bytes | None,
    arrived: int,
    at_ms: int | None,
    place: str,
    why: str,
    in_reply_to: str,
    replaces: str,
    latest: str | None,
    withdrawn: int,
    mention: int,
    hidden: int,
    attached: int,
    saved: str,
    ends_at: int | None,
    rule: str,
    frank: str,
    *rest: Any,
) -> tuple[Any, ...]:
    flags = bool(withdrawn), bool(mention), hidden, bool(attached)
    where = Place(place), why, in_reply_to, replaces, latest
    return context, arrived, at_ms, *where, *flags, saved, ends_at, rule, Frank(frank), *rest
