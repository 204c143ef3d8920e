"""What happens while a line is being typed: kept until Enter was pressed, then put into words."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing

from client.desk.api import Api
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
from client.desk.views import StatusView
from client.errors import ClientError
from client.failures import hint_inside
from client.plain import phrases
from client.plain.bell import Bell
from client.words.spelling import counted

EACH = 3  # new messages of a chat that is not open are read out; of more only the count


class News:
    """Collects what an account tells; `status` is the last that is known."""

    def __init__(self, api: Api, status: StatusView, bell: Bell) -> None:
        self.status = status
        self.told = asyncio.Event()
        self._api = api
        self._bell = bell
        self._held: list[Told] = []
        self._announced: set[str] = set()
        self._failure: ClientError | None = None

    async def collect(self) -> None:
        """Collect for ever; when the account's daemon ends, `take` raises what it raised."""
        try:
            async with aclosing(self._api.events()) as events:
                async for told in events:
                    self._bell.hear(told)
                    if self._is_news(told):
                        self._held.append(told)
                    self.told.set()
        except ClientError as error:
            self._failure = error
            self.told.set()

    def take(self) -> list[Told]:
        """All of it, leaving nothing. Raises what ended the collecting."""
        if self._failure is not None:
            raise self._failure
        taken, self._held = self._held, []
        return taken

    def announced(self, told: list[Told], group: str | None, *, discreet: bool) -> Iterator[str]:
        """What is to be said of it while the chat `group` is open, whose own rows are read out there.

        `discreet`: without any number, name or text.
        """
        elsewhere = [
            each for each in told if isinstance(each, MessageArrived) and each.alert and each.message.group != group
        ]
        yield from _counted(elsewhere) if discreet else _messages(elsewhere)
        for each in told:
            match each:
                case RequestArrived(request=request) if request.handle not in self._announced:
                    self._announced.add(request.handle)
                    asks = "Somebody asks for a chat." if discreet else phrases.request(request)
                    yield f"{asks} To decide: /requests"
                case AskAnswered(ask=ask):
                    who = "Somebody" if discreet else phrases.person(ask.number, ask.name)
                    yield f"{who} has agreed: you can write to them."
                case Quarantined(message=message):
                    held = "A message was held back" + ("." if discreet else f": {phrases.held(message)}")
                    yield f"{held} To look: /quarantine"
                case TroubleTold():
                    yield "Trouble with a chat." if discreet and each.group else _trouble(each)
                case StatusChanged(status=status):
                    yield next(phrases.status(status))

    def _is_news(self, told: Told) -> bool:
        if isinstance(told, StatusChanged):
            before, self.status = self.status, told.status
            return told.status.online != before.online
        return not isinstance(told, ChatChanged)


def changed(told: list[Told], group: str) -> Iterator[MessageChanged]:
    """The rows of one chat that look different; each as it was told last."""
    latest = {
        each.message.row: each for each in told if isinstance(each, MessageChanged) and each.message.group == group
    }
    yield from latest.values()


def _trouble(told: TroubleTold) -> str:
    return f"Trouble: {told.words}" + (f"\n{hint_inside(told.hint)}" if told.hint else "")


def _counted(arrived: list[MessageArrived]) -> Iterator[str]:
    if arrived:
        yield f"New: {counted(len(arrived), 'message')}."


def _messages(arrived: list[MessageArrived]) -> Iterator[str]:
    by_chat: dict[str, list[MessageArrived]] = {}
    for each in arrived:
        by_chat.setdefault(each.message.group, []).append(each)
    for messages in by_chat.values():
        where = f"in {phrases.quoted(messages[0].message.chat)}"
        if len(messages) > EACH:
            yield f"New {where}: {len(messages)} messages."
        else:
            yield from (f"New {where}: {phrases.message(each.message)}" for each in messages)
