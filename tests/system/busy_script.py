"""A busy day in one chat: what a person may do in it, as a seed orders it, noted before and after each call."""

import asyncio
import json
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client.desk.desk import Desk
from client.desk.views import MessageView

CANARY = "canary-in-the-text"
EMOJIS = ("👍", "❤️", "😂")
TIMER = 600  # seconds after which messages disappear, where they do
LASTING = 300  # seconds that a message must have left to be written about
PAUSE = 0.004  # seconds, at most, between one call and the next


class Journal:
    """One JSON object a line; what is noted stays noted, whenever this process dies."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, kind: str, **values: object) -> None:
        os.write(self._file, json.dumps({"kind": kind, **values}).encode() + b"\n")
        os.fsync(self._file)


@dataclass
class Life:
    """What a life is to do.

    `kill`: when, "opening" or "script"; `after` seconds or `at` a boundary, which may be counted from a `call`.
    """

    number: int
    ahead: float
    seed: int
    groups: list[str]
    peer: str
    guest: str
    kill: dict[str, Any] | None
    claimed: bool = field(default=False, init=False)  # the service hands out sixty key packages an hour

    @property
    def is_short(self) -> bool:
        return self.kill is not None and self.kill["when"] == "opening"


class Script:
    """One chat's share of the day: what a person may do in it, in an order that the seed gives."""

    def __init__(
        self, desk: Desk, journal: Journal, life: Life, chat: int, folder: Path, begins: Callable[[str], None]
    ) -> None:
        self._desk = desk
        self._journal = journal
        self._life = life
        self._group = life.groups[chat]
        self._has_roles = chat == 1
        self._folder = folder
        self._begins = begins
        self._name = f"{life.number:03}{'ab'[chat]}"
        self._calls = 0
        self._random = random.Random(f"{life.seed} {self._name}")

    async def run(self) -> None:
        acts: dict[Callable[[], Awaitable[None]], int] = {
            self.send: 6,
            self.reply: 3,
            self.edit: 3,
            self.delete: 2,
            self.react: 4,
            self.send_file: 1,
            self.draft: 2,
            self.read: 2,
            self.mute: 1,
            self.pin: 1,
            self.timer: 1,
            self.rename: 1,
            self.search: 2,
            self.create: 1,
            self.change_members: 2 if self._has_roles else 0,
        }
        while True:
            (act,) = self._random.choices(list(acts), list(acts.values()))
            await act()
            await asyncio.sleep(self._random.random() * PAUSE)

    async def send(self) -> None:
        text = self._words()
        await self._call("send", self._desk.messages.send(self._group, text), text=text, to="")

    async def reply(self) -> None:
        if target := await self._target(own=False):
            text = self._words()
            await self._call("send", self._desk.messages.send(self._group, text, target.row), text=text, to=target.id)

    async def edit(self) -> None:
        target = await self._target(own=True)
        if target is not None and target.attachment is None:
            text = self._words()
            await self._call("edit", self._desk.messages.edit(target.row, text), text=text, to=target.id)

    async def delete(self) -> None:
        if target := await self._target(own=True):
            await self._call("delete", self._desk.messages.delete(target.row), to=target.id)

    async def react(self) -> None:
        if target := await self._target(own=False):
            mine = [each.emoji for each in target.reactions if each.own]
            emoji = self._random.choice(mine if mine and self._random.random() < 0.7 else EMOJIS)
            await self._call("react", self._desk.messages.react(target.row, emoji), to=target.id, emoji=emoji)

    async def send_file(self) -> None:
        caption = self._words()
        path = self._folder / f"{self._name}{self._calls:03}.txt"
        path.write_text(f"contents of {caption}")
        await self._call(
            "file", self._desk.messages.send_file(self._group, str(path), caption), text=caption, file=path.name
        )

    async def draft(self) -> None:
        text = self._random.choice(("", self._words()))
        await self._call("draft", self._desk.chats.draft(self._group, text), value=text)

    async def read(self) -> None:
        rows = await self._desk.messages.page(self._group, limit=25)  # also back to what was read
        row = self._random.choice(rows).row
        await self._call("read", self._desk.chats.read(self._group, row), value=row)

    async def mute(self) -> None:
        muted = self._random.random() < 0.5
        await self._call("mute", self._desk.chats.mute(self._group, None if muted else 0), value=muted)

    async def pin(self) -> None:
        pinned = self._random.random() < 0.5
        await self._call("pin", self._desk.chats.pin(self._group, pinned), value=pinned)

    async def timer(self) -> None:
        seconds = self._random.choice((0, 0, TIMER))
        await self._call("timer", self._desk.chats.timer(self._group, seconds), seconds=seconds)

    async def rename(self) -> None:
        name = self._words()
        await self._call("rename", self._desk.chats.rename(self._group, name), value=name)

    async def search(self) -> None:
        target = await self._target(own=True)
        if target is not None:
            found = await self._desk.messages.search(target.text.split()[-1])
            assert [row.row for row in found] == [target.row], (target, found)

    async def create(self) -> None:
        if self._claims():
            name = self._words()
            await self._call("create", self._desk.chats.create(name, [self._life.peer], roles=False), name=name)

    async def change_members(self) -> None:
        members = [each.number for each in await self._desk.chats.members(self._group)]
        if self._life.guest in members:
            await self._call("remove", self._desk.chats.remove(self._group, self._life.guest))
        elif self._claims():
            await self._call("invite", self._desk.chats.invite(self._group, [self._life.guest]))

    async def _call(self, call: str, asked: Awaitable[object], **values: object) -> None:
        """Note the call, wait for it, and note that it has returned."""
        self._calls += 1
        what = {"group": self._group, "call": call, **values}
        self._journal.note("begin", **what)
        self._begins(call)
        await asked
        self._journal.note("end", **what)

    async def _target(self, *, own: bool) -> MessageView | None:
        """A message to say something about, if there is one that stays for a while."""
        now = time.time() + self._life.ahead
        rows = [
            row
            for row in await self._desk.messages.page(self._group, limit=25)
            if row.kind == "sent" or (row.kind == "received" and not own)
            if not row.withdrawn and (row.expires is None or row.expires.timestamp() > now + LASTING)
        ]
        return self._random.choice(rows) if rows else None

    def _words(self) -> str:
        return f"{CANARY} v{self._name}{self._calls:03}"  # of one length, so that none is a part of another

    def _claims(self) -> bool:
        claimed, self._life.claimed = self._life.claimed, True
        return not claimed and self._random.random() < 0.5
