"""The calls about chats."""

from contextlib import suppress
from datetime import UTC, datetime

from msgspec.structs import replace

from client.defence.admission import Consent
from client.defence.continuity import identity_of_key
from client.defence.lies import FOLLOWS_CLOSED, FOLLOWS_WORDS
from client.desk.agreement import agreement, with_words
from client.desk.api import Chats
from client.desk.exporting import exported
from client.desk.roster import check_digits, member_view
from client.desk.showing import chat_name
from client.desk.views import AgreementView, ChatView, CheckNumberView, MemberView, Rendering
from client.desk.works import Works, group_of
from client.errors import ChatError, InviteError
from client.invite import parse_invite
from client.records.chats import FOREVER, Chat
from client.records.message import Kind
from client.steps.device import number_of
from identity.errors import IdentityError
from identity.number import TelephoneNumber

_EPOCH = datetime.fromtimestamp(0, UTC)


class DeskChats(Chats):
    """client.desk.api.Chats over a session."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._steps = works.steps

    async def all(self, archived: bool = False) -> list[ChatView]:
        views = await self._works.run(self._views, None)
        return sorted((view for view in views if view.archived == archived), key=_rank)

    async def get(self, group: str) -> ChatView:
        group_id = group_of(group)
        views = await self._works.run(self._views, group_id)
        if not views:
            raise ChatError("this device is not in such a chat", code="unknown-chat")
        return views[0]

    async def find(self, name: str) -> ChatView:
        return await self.get((await self._works.run(self._find, name)).group_id.hex())

    async def direct(self, number: str, new_keys: bool = False) -> ChatView:
        person = parse_invite(number)
        if person == self._steps.groups.account.number:
            raise ChatError("this is your own number", code="own-number", hint="Give the number of somebody else.")
        existing = await self._works.run(self._steps.chats.with_number, person.e164)
        if existing is not None:
            return await self.get(existing.group_id.hex())
        with self._works.in_flight(f"asking for {person}"):
            chat = await self._works.session.create_chat(None, [person], new_keys=new_keys)
        return await self._changed(chat.group_id)

    async def create(self, name: str, numbers: list[str], roles: bool = True, new_keys: bool = False) -> ChatView:
        people = [parse_invite(number) for number in numbers]
        admins = [self._steps.groups.account.number] if roles else []
        with self._works.in_flight(f"creating the chat with {len(people)} people"):
            chat = await self._works.session.create_chat(name, people, admins=admins, new_keys=new_keys)
        return await self._changed(chat.group_id)

    async def rename(self, group: str, name: str) -> ChatView:
        group_id = group_of(group)
        await self._works.run(self._rename, group_id, name)
        self._works.drive_soon(group_id)
        return await self._changed(group_id)

    async def read(self, group: str, row: int) -> None:
        await self._works.run(self._read, group_of(group), row)
        self._works.tell(group_of(group))

    async def draft(self, group: str, text: str) -> None:
        await self._works.run(self._steps.chats.set_draft, group_of(group), text)
        self._works.tell(group_of(group))

    async def timer(self, group: str, seconds: int) -> ChatView:
        group_id = group_of(group)
        await self._works.run(self._steps.sender.queue_timer, group_id, seconds, self._works.now())
        self._works.drive_soon(group_id)
        return await self._changed(group_id)

    async def mute(self, group: str, seconds: int | None) -> ChatView:
        until = FOREVER if seconds is None else self._works.now() + seconds if seconds else 0
        await self._works.run(self._steps.chats.mute, group_of(group), until)
        return await self._changed(group_of(group))

    async def pin(self, group: str, pinned: bool) -> ChatView:
        await self._works.run(self._steps.chats.pin, group_of(group), pinned)
        return await self._changed(group_of(group))

    async def archive(self, group: str, archived: bool) -> ChatView:
        await self._works.run(self._steps.chats.archive, group_of(group), archived)
        return await self._changed(group_of(group))

    async def want_proof(self, group: str, wanted: bool) -> ChatView:
        await self._works.run(self._steps.chats.want_proof, group_of(group), wanted)
        return await self._changed(group_of(group))

    async def members(self, group: str) -> list[MemberView]:
        return await self._works.run(self._members, group_of(group))

    async def check_number(self, group: str) -> CheckNumberView:
        return await self._works.run(self._check_number, group_of(group))

    async def agreement(self, group: str) -> list[AgreementView]:
        return await self._works.run(agreement, self._steps, group_of(group), self._works.now())

    async def begin_again(self, group: str) -> ChatView:
        old = await self.get(group)
        if old.direct is None:
            people = list(dict.fromkeys(member.number for member in await self.members(group) if not member.you))
            new = await self.create(old.chat, people, old.roles)
        else:  # also where nobody can say any more who was in it
            with self._works.in_flight("creating the chat anew"):
                chat = await self._works.session.create_chat(None, [parse_invite(old.direct)])
            new = await self._changed(chat.group_id)
        words = (FOLLOWS_WORDS if old.standing == "active" else FOLLOWS_CLOSED).format(name=old.chat)
        note = self._steps.history.note
        await self._works.run(note, Kind.NOTICE, group_of(new.group), None, words, self._works.now())
        return await self._changed(group_of(new.group))

    async def add_again(self, group: str, number: str) -> ChatView:
        person = parse_invite(number)
        with self._works.in_flight(f"adding {person} again"):
            await self._works.session.add_again(group_of(group), person)
        return await self._changed(group_of(group))

    async def invite(self, group: str, numbers: list[str], new_keys: bool = False) -> ChatView:
        people = [parse_invite(number) for number in numbers]
        with self._works.in_flight(f"adding {len(people)} people"):
            await self._works.session.add(group_of(group), people, new_keys=new_keys)
        return await self._changed(group_of(group))

    async def remove(self, group: str, number: str) -> ChatView:
        person = parse_invite(number)
        with self._works.in_flight(f"removing {person}"):
            await self._works.session.remove(group_of(group), [person])
        return await self._changed(group_of(group))

    async def remove_device(self, group: str, number: str, key: str) -> ChatView:
        person = parse_invite(number)
        with self._works.in_flight(f"removing a device of {person}"):
            await self._works.session.remove_device(group_of(group), identity_of_key(person, key))
        return await self._changed(group_of(group))

    async def admin(self, group: str, number: str, admin: bool) -> ChatView:
        with self._works.in_flight("changing roles"):
            await self._works.session.set_admin(group_of(group), parse_invite(number), admin=admin)
        return await self._changed(group_of(group))

    async def leave(self, group: str) -> ChatView:
        with self._works.in_flight("leaving"):
            await self._works.session.leave(group_of(group))
        return await self._changed(group_of(group))

    async def reset(self, group: str) -> ChatView:
        with self._works.in_flight("beginning the chat anew"):
            chat = await self._works.session.reset(group_of(group))
        self._works.tell(group_of(group))
        return await self._changed(chat.group_id)

    async def delete(self, group: str) -> ChatView:
        with self._works.in_flight("deleting the chat at the service"):
            await self._works.session.delete_chat(group_of(group))
        return await self._changed(group_of(group))

    async def export(self, group: str, form: Rendering) -> str:
        return await self._works.run(self._export, group_of(group), form)

    async def _changed(self, group_id: bytes) -> ChatView:
        self._works.tell(group_id)
        return await self.get(group_id.hex())

    def _views(self, group_id: bytes | None) -> list[ChatView]:
        overviews = self._steps.browsing.overview(Consent.INBOX, group_id)
        return self._works.showing.chats(overviews)

    def _find(self, name: str) -> Chat:
        chats = [chat for chat in self._steps.chats.all() if chat.consent is Consent.INBOX]
        names = self._steps.groups.contacts.names()
        wanted = name.casefold()
        called = [chat for chat in chats if chat_name(chat, names).casefold() == wanted]
        if len(called) == 1:
            return called[0]
        with suppress(InviteError, IdentityError):
            direct = self._steps.chats.with_number(parse_invite(name).e164)
            if direct is not None:
                return direct
        found = self._steps.chats.find(name)
        if found.consent is not Consent.INBOX:
            raise ChatError(
                "this chat is a request that was not accepted", code="not-accepted", hint="See: ringtrue requests"
            )
        return found

    def _rename(self, group_id: bytes, name: str) -> None:
        self._steps.chats.require_member(group_id)
        with self._steps.store.transaction():
            if not self._steps.chats.rename(group_id, name, own=True):
                raise ChatError("the name is empty", code="empty-name")
            admins = self._steps.groups.admins(group_id)
            if admins is None or self._steps.groups.account.number in admins:
                self._steps.sender.queue_title(group_id, self._works.now())

    def _read(self, group_id: bytes, row: int) -> None:
        with self._steps.store.transaction():
            self._steps.chats.see(group_id, row)
            self._steps.relations.start_timers(group_id, row, self._works.now())

    def _members(self, group_id: bytes) -> list[MemberView]:
        groups = self._steps.groups
        admins: frozenset[TelephoneNumber] | None = groups.admins(group_id)
        names, now = groups.contacts.names(), self._works.now()
        members = sorted(groups.members(group_id), key=lambda member: (number_of(member).e164, member.index))
        views = [
            member_view(
                member,
                groups.verifier,
                now,
                own=groups.account.number,
                this=member.identity == self._steps.continuity.own,
                admins=admins,
                names=names,
                known=self._steps.continuity.get(member.identity),
                new=self._steps.continuity.is_new(member.identity),
                status=self._works.showing.status(number_of(member)),
                revocations=self._steps.revocations,
            )
            for member in members
        ]
        proposed = self._steps.evictions.pending(group_id)
        views = [replace(view, proposed=proposed.get(view.leaf, "")) for view in views]
        return with_words(self._steps, group_id, members, views, now)

    def _check_number(self, group_id: bytes) -> CheckNumberView:
        chat = self._steps.chats.known(group_id)
        digits = check_digits(self._steps.groups.authenticator(group_id))
        return CheckNumberView(
            digits=digits, epoch=chat.epoch, chat=chat_name(chat, self._steps.groups.contacts.names())
        )

    def _export(self, group_id: bytes, form: Rendering) -> str:
        chat = self._steps.chats.known(group_id)
        return exported(self._steps, self._works.showing, chat, form)


def _rank(view: ChatView) -> tuple[bool, float, str]:
    return not view.pinned, -(view.last_at or _EPOCH).timestamp(), view.chat.casefold()
