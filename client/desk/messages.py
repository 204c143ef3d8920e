"""The calls about messages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from client.defence.admission import Place
from client.desk import reporting
from client.desk.agreement import require_one_history
from client.desk.api import Messages
from client.desk.inspecting import inspection
from client.desk.report_views import ReportView
from client.desk.transfer_views import TransferView, transfer_view
from client.desk.views import InspectionView, MessageView
from client.desk.works import Works, group_of
from client.errors import ChatError, ContentError
from client.formats.content import decode
from client.formats.filenames import safe_filename
from client.formats.parts import ExternalPart
from client.formats.reading import Attached, read
from client.proof import export
from client.records.message import Kind, Message
from client.transfers import attachments

PAGE_LIMIT = 1000  # rows of one answer
SHOWN_LIMIT = 16 * 1024 * 1024  # octets of a file that is handed out in memory, to be looked at


class DeskMessages(Messages):
    """client.desk.api.Messages over a session."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._steps = works.steps

    async def page(self, group: str, before: int | None = None, limit: int = 60) -> list[MessageView]:
        return await self._works.run(self._page, group_of(group), before, min(limit, PAGE_LIMIT))

    async def after(self, group: str, row: int, limit: int = 60) -> list[MessageView]:
        return await self._works.run(self._after, group_of(group), row, min(limit, PAGE_LIMIT))

    async def get(self, row: int) -> MessageView:
        return await self._works.run(self._get, row)

    async def find(self, message_id: str) -> MessageView:
        found = await self._works.run(self._steps.history.find, message_id)
        return await self.get(found.id)

    async def first_unread(self, group: str) -> int | None:
        return await self._works.run(self._steps.browsing.first_unread, group_of(group))

    async def send(self, group: str, text: str, reply_to: int | None = None) -> MessageView:
        await self._works.run(require_one_history, self._steps, group_of(group))
        message = await self._works.run(
            self._steps.sender.queue_text, group_of(group), text, self._works.now(), reply_to
        )
        return await self._sent(message)

    async def send_file(self, group: str, path: str, caption: str = "") -> MessageView:
        group_id, file = group_of(group), Path(path).expanduser()
        await self._works.run(self._steps.chats.require_member, group_id)
        await self._works.run(require_one_history, self._steps, group_id)
        with self._works.in_flight(f"storing {safe_filename(file.name)}") as progress:
            message = await self._works.session.uploads.send(group_id, file, caption, progress)
        return await self._sent(message)

    async def transfers(self) -> list[TransferView]:
        return [transfer_view(moving) for moving in await self._works.session.uploads.moving()]

    async def cancel_transfer(self, transfer: int) -> list[TransferView]:
        await self._works.session.uploads.cancel(transfer)
        return await self.transfers()

    async def edit(self, row: int, text: str) -> MessageView:
        return await self._changed(row, await self._works.run(self._steps.sender.queue_edit, row, text, self._now()))

    async def delete(self, row: int) -> MessageView:
        return await self._changed(row, await self._works.run(self._steps.sender.queue_deletion, row, self._now()))

    async def react(self, row: int, emoji: str) -> MessageView:
        return await self._changed(
            row, await self._works.run(self._steps.sender.queue_reaction, row, emoji, self._now())
        )

    async def retry(self, row: int) -> MessageView:
        return await self._changed(row, await self._works.run(self._steps.sender.retry, row))

    async def fetch(self, row: int) -> bytes:
        part = await self._works.run(self._offered, row)
        _check_shown(part.size)
        async with self._fetched(part) as path:
            return await asyncio.to_thread(_opened, part, path)

    async def save(self, row: int, folder: str) -> str:
        part = await self._works.run(self._offered, row)
        async with self._fetched(part) as ciphertext:
            path = await asyncio.to_thread(_saved, part, ciphertext, Path(folder).expanduser())
        await self._works.run(self._steps.history.save_as, row, str(path))
        self._works.tell(row=row)
        return str(path)

    async def search(self, words: str, group: str | None = None, limit: int = 100) -> list[MessageView]:
        group_id = None if group is None else group_of(group)
        return await self._works.run(self._search, words, group_id, min(limit, PAGE_LIMIT))

    async def inspect(self, row: int) -> InspectionView:
        return await self._works.run(self._inspect, row)

    async def proof(self, row: int) -> str:
        return await self._works.run(self._proof, row)

    async def report_preview(
        self, rows: list[int], kind: str = "spam", note: str = "", by_frank: bool = False
    ) -> ReportView:
        return await reporting.preview(self._works, rows, kind, note, by_frank)

    async def report(
        self, rows: list[int], kind: str = "spam", note: str = "", by_frank: bool = False, shown: str = ""
    ) -> ReportView:
        return await reporting.report(self._works, rows, kind, note, by_frank, shown)

    async def report_file(self, rows: list[int], kind: str = "spam", note: str = "", by_frank: bool = False) -> str:
        return await reporting.report_file(self._works, rows, kind, note, by_frank)

    async def quarantine(self) -> list[MessageView]:
        return await self._works.run(self._quarantine)

    async def reveal(self, row: int) -> MessageView:
        return await self._works.run(self._reveal, row)

    async def unshown(self, limit: int = 1000) -> list[MessageView]:
        return await self._works.run(self._unshown, min(limit, PAGE_LIMIT))

    async def shown(self, row: int) -> None:
        await self._works.run(self._steps.history.mark_shown, row)

    @asynccontextmanager
    async def _fetched(self, part: ExternalPart) -> AsyncIterator[Path]:
        with self._works.in_flight("fetching a file") as progress:
            async with self._works.session.downloads.fetched(part, progress) as path:
                yield path

    def _now(self) -> int:
        return self._works.now()

    async def _sent(self, message: Message) -> MessageView:
        self._works.drive_soon(message.group_id)
        return await self.get(message.id)

    async def _changed(self, row: int, message: Message) -> MessageView:
        """The row that a message is about, as it looks with it."""
        self._works.tell(row=row)
        self._works.drive_soon(message.group_id)
        return await self.get(row)

    def _get(self, row: int) -> MessageView:
        return self._works.showing.message(self._steps.history.get(row))

    def _page(self, group_id: bytes, before: int | None, limit: int) -> list[MessageView]:
        return self._works.showing.messages(self._steps.browsing.page(group_id, before, limit))

    def _after(self, group_id: bytes, row: int, limit: int) -> list[MessageView]:
        return self._works.showing.messages(self._steps.browsing.after(group_id, row, limit))

    def _search(self, words: str, group_id: bytes | None, limit: int) -> list[MessageView]:
        rows = self._steps.history.search.find(words, group_id, limit)
        return self._works.showing.messages(self._steps.browsing.rows(rows))

    def _quarantine(self) -> list[MessageView]:
        return self._works.showing.messages(self._steps.browsing.apart(Place.QUARANTINE))

    def _unshown(self, limit: int) -> list[MessageView]:
        return self._works.showing.messages(self._steps.history.unseen(limit))

    def _reveal(self, row: int) -> MessageView:
        message = self._steps.history.get(row)
        if message.place is not Place.QUARANTINE:
            raise ChatError("this message is not held back", code="not-held-back")
        return self._works.showing.message(message, reveal=True)

    def _offered(self, row: int) -> ExternalPart:
        message = self._steps.history.get(row)
        if not message.attached or message.place is not Place.INBOX:
            raise ChatError("this message offers no file", code="no-attachment")
        reading = read(decode(message.framed))
        assert isinstance(reading, Attached), "only such rows are marked as attached"
        return reading.part

    def _inspect(self, row: int) -> InspectionView:
        return inspection(self._steps, self._works.showing, self._steps.history.get(row), self._works.now())

    def _proof(self, row: int) -> str:
        message = self._steps.history.get(row)
        if message.kind is Kind.RECEIVED and message.place is Place.REQUEST:
            raise ChatError("accept the request first", code="not-accepted", hint="See: ringtrue requests")
        return export(self._steps.history, message).decode("ascii")


def _check_shown(size: int) -> None:
    if size > SHOWN_LIMIT:
        raise ContentError(
            "the file is too large to be looked at here",
            code="attachment-not-shown",
            hint="Save it, and open it with another program, if you expect it from the sender.",
        )


def _opened(part: ExternalPart, path: Path) -> bytes:
    _check_shown(path.stat().st_size - attachments.TAG_SIZE)
    with open(path, "rb") as ciphertext:
        return b"".join(attachments.open_sealed(part, ciphertext))


def _saved(part: ExternalPart, path: Path, folder: Path) -> Path:
    with open(path, "rb") as ciphertext:
        return attachments.save(folder, part.filename, attachments.open_sealed(part, ciphertext))
