"""Telling every listener what has changed: events of the session become views, after the store has them."""

import asyncio
from collections.abc import AsyncGenerator

from client.defence.admission import Consent, Place
from client.desk.asking import ask_view, asking_views
from client.desk.connection import is_offline
from client.desk.device import DeskDevice
from client.desk.told import (
    AskAnswered,
    ChatChanged,
    MessageArrived,
    MessageChanged,
    Quarantined,
    RequestArrived,
    StatusChanged,
    Told,
    TroubleTold,
)
from client.desk.views import MessageView, StatusView
from client.desk.works import Changes, Works
from client.errors import CertificateRevokedError, ClientError
from client.events import (
    Alarmed,
    ChangeTakenBack,
    ChatJoined,
    ChatMoved,
    ChatNamed,
    ContactAsked,
    ContactGranted,
    Event,
    Gap,
    IntentSettled,
    MembersChanged,
    MessageAccepted,
    MessageDelivered,
    MessageFailed,
    Trouble,
    WelcomeRefused,
)
from client.records.message import Kind, Message

ROWS_AT_ONCE = 500
ALARM_HINT = "See what was seen, and what to do: ringtrue alarms"
PAUSE = 0.02  # seconds in which changes gather


class Telling:
    """Turns changes into what listeners are told."""

    def __init__(self, works: Works, device: DeskDevice) -> None:
        self._works = works
        self._device = device
        self._row = works.steps.browsing.last_row()
        self._status: StatusView | None = None
        self._told_revoked = False
        self._listeners: set[asyncio.Queue[Told]] = set()

    async def events(self) -> AsyncGenerator[Told]:
        """Everything from now on."""
        told: asyncio.Queue[Told] = asyncio.Queue()
        self._listeners.add(told)
        try:
            while True:
                yield await told.get()
        finally:
            self._listeners.discard(told)

    async def run(self) -> None:
        """Tell, for ever."""
        while True:
            await self._works.changes.wake.wait()
            await asyncio.sleep(PAUSE)
            more = True
            while more:
                told, more = await self._works.run(self._told, self._works.changes.take())
                for each in told:
                    for listener in self._listeners:
                        listener.put_nowait(each)

    def _told(self, changes: Changes) -> tuple[list[Told], bool]:
        new = self._works.steps.browsing.since(self._row, ROWS_AT_ONCE)
        self._row = new[-1].id if new else self._row
        told: list[Told] = [MessageChanged(message=view, gone=True) for view in changes.gone]
        told += [each for message in new if (each := self._new(message, changes)) is not None]
        told += [each for event in changes.events for each in self._event(event, changes)]
        fresh = {message.id for message in new}
        told += [MessageChanged(message=view) for view in self._rows(changes.rows - fresh)]
        told += self._chats(changes)
        status = self._device.view()
        if status != self._status:
            if self._status is not None and self._status.revoked and not status.revoked:
                self._told_revoked = False
            self._status = status
            told.append(StatusChanged(status=status))
        return told, len(new) == ROWS_AT_ONCE

    def _new(self, message: Message, changes: Changes) -> Told | None:
        changes.groups.add(message.group_id)
        match message.place:
            case Place.INBOX:
                return MessageArrived(message=self._works.showing.message(message), alert=self._alerts(message))
            case Place.QUARANTINE if self._works.steps.chats.known(message.group_id).consent is not Consent.QUARANTINE:
                return Quarantined(message=self._works.showing.message(message))
            case Place.ASIDE:
                self._change(message.id, changes)
        return None

    def _alerts(self, message: Message) -> bool:
        if message.kind is not Kind.RECEIVED:
            return False
        chat = self._works.steps.chats.known(message.group_id)
        return message.mention or chat.muted <= self._works.now()

    def _change(self, row: int, changes: Changes) -> None:
        """Mark the row that looks different: the one that an aside row is about, or the row itself."""
        found = self._works.steps.history.select("WHERE m.id = ?", row)
        if found and found[0].kind.is_aside:
            target = self._works.steps.relations.target(row)
            changes.rows |= set() if target is None else self._outermost(target)
        elif found:
            changes.rows.add(row)

    def _outermost(self, row: int) -> set[int]:
        """A reaction that was taken back is seen in what it was for."""
        message = self._works.steps.history.get(row)
        target = self._works.steps.relations.target(row) if message.kind is Kind.REACTION else row
        return set() if target is None else {target}

    def _event(self, event: Event, changes: Changes) -> list[Told]:
        match event:
            case MessageAccepted() | MessageDelivered() | MessageFailed():
                changes.groups.add(event.group_id)
                self._change(event.message, changes)
            case ChatJoined() | ChatNamed() | MembersChanged() | ChangeTakenBack() | ChatMoved() | Gap():
                changes.groups.add(event.group_id)
            case ContactAsked(number=number):
                views = asking_views(self._works.steps, self._works.showing, Consent.REQUEST)
                return [RequestArrived(request=view) for view in views if view.number == number.e164]
            case ContactGranted(number=number):
                asked = self._works.steps.asking.asked_of(number)
                return [] if asked is None else [AskAnswered(ask=ask_view(self._works.steps, asked, self._works.now()))]
            case IntentSettled(outcome="refused"):
                return [
                    _trouble("group-refused", event.why, "Look at the chat's members and try again.", event.group_id)
                ]
            case Alarmed():
                return [_trouble("alarm", self._works.steps.alarms.newest_sign(), ALARM_HINT, None)]
            case WelcomeRefused():
                return [
                    _trouble(event.code, f"An invitation could not be accepted: {event.reason}", "", event.group_id)
                ]
            case Trouble(error=error) if not is_offline(error) and not self._is_known(event):
                hint = error.hint if isinstance(error, ClientError) else ""
                about = None if event.code == CertificateRevokedError.code else event.group_id
                return [_trouble(event.code, event.reason, hint, about)]
        return []

    def _is_known(self, trouble: Trouble) -> bool:
        """Whether it says again that this device's certificate was revoked: the list says so, and then the service."""
        known = self._told_revoked
        if trouble.code == CertificateRevokedError.code:
            self._told_revoked = True
            return known
        return False

    def _rows(self, rows: set[int]) -> list[MessageView]:
        return self._works.showing.messages(self._works.steps.browsing.rows(sorted(rows)))

    def _chats(self, changes: Changes) -> list[Told]:
        told: list[Told] = []
        for group_id in changes.groups:
            for overview in self._works.steps.browsing.overview(Consent.INBOX, group_id):
                told += [ChatChanged(chat=view) for view in self._works.showing.chats([overview])]
            for overview in self._works.steps.browsing.overview(Consent.REQUEST, group_id):
                told.append(RequestArrived(request=self._works.showing.request(overview)))
        return told


def _trouble(code: str, words: str, hint: str, group_id: bytes | None) -> TroubleTold:
    return TroubleTold(code=code, words=words, hint=hint, group=None if group_id is None else group_id.hex())
