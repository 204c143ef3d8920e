"""The calls about people."""

from client.defence.admission import WAITING, Consent
from client.desk import reporting
from client.desk.api import People
from client.desk.asking import ask_view, asking_views, mode_of, mode_view
from client.desk.people_views import AskView, ContactView, KeyView, ModeView, RequestView
from client.desk.report_views import StatusOfView
from client.desk.roster import key_view
from client.desk.views import ChatView
from client.desk.works import Works, group_of
from client.errors import ChatError
from client.formats.content import decode
from client.formats.reading import read
from client.invite import parse_invite
from client.records.contacts import Contact
from client.records.message import Kind
from identity.number import TelephoneNumber


class DeskPeople(People):
    """client.desk.api.People over a session."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._steps = works.steps
        self._contacts = works.steps.groups.contacts

    async def requests(self) -> list[RequestView]:
        found = await self._works.run(self._requests, Consent.REQUEST)
        return sorted(found, key=lambda request: request.at, reverse=True)

    async def held(self) -> list[RequestView]:
        found = await self._works.run(self._requests, Consent.QUARANTINE)
        return sorted(found, key=lambda request: request.at, reverse=True)

    async def accept(self, group: str) -> ChatView:
        group_id = group_of(group)
        await self._works.run(self._accept, group_id)
        self._works.tell(group_id)
        await self._works.settle_contacts()
        (view,) = await self._works.run(self._chat, group_id)
        return view

    async def decline(self, group: str) -> None:
        group_id = group_of(group)
        await self._works.run(self._decline, group_id)
        self._works.drive_soon(group_id)

    async def block(self, number: str) -> ContactView:
        person = parse_invite(number)
        for group_id in await self._works.run(self._block, person):
            self._works.drive_soon(group_id)
        await self._works.settle_contacts()
        return await self._contact(person)

    async def unblock(self, number: str) -> ContactView:
        person = parse_invite(number)
        await self._works.run(self._contacts.unblock, person)
        await self._works.settle_contacts()
        return await self._contact(person)

    async def reportable(self, group: str) -> list[int]:
        return await self._works.run(reporting.reportable, self._works, group_of(group))

    async def status(self, number: str) -> StatusOfView:
        return await self._works.run(reporting.status_of, self._works, parse_invite(number))

    async def contacts(self) -> list[ContactView]:
        return [self._works.showing.contact(each) for each in await self._works.run(self._contacts.all)]

    async def name(self, number: str, name: str) -> ContactView:
        person = parse_invite(number)
        await self._works.run(self._contacts.name, person, name)
        return await self._contact(person)

    async def know(self, number: str) -> ContactView:
        person = parse_invite(number)
        for group_id in await self._works.run(self._know, person):
            self._works.tell(group_id)
        await self._works.settle_contacts()
        return await self._contact(person)

    async def mode(self, mode: str | None = None) -> ModeView:
        if mode is not None:
            with self._works.in_flight("telling the service how you may be reached"):
                await self._works.session.reaching.choose(mode_of(mode))
            self._works.tell()
        return await self._works.run(mode_view, self._steps)

    async def ask(self, number: str) -> AskView:
        person = parse_invite(number)
        if person == self._steps.groups.account.number:
            raise ChatError("this is your own number", code="own-number", hint="Give the number of somebody else.")
        with self._works.in_flight(f"asking {person}"):
            asked = await self._works.session.reaching.ask(person)
        return await self._works.run(ask_view, self._steps, asked, self._works.now())

    async def asked(self) -> list[AskView]:
        asked = await self._works.run(self._steps.asking.asked)
        return [await self._works.run(ask_view, self._steps, each, self._works.now()) for each in asked]

    async def grant(self, number: str) -> ContactView:
        person = parse_invite(number)
        await self._works.run(self._steps.asking.grant, person)
        await self._works.settle_contacts()
        return await self._contact(person)

    async def refuse(self, number: str) -> None:
        await self._works.run(self._steps.asking.refuse, parse_invite(number))
        await self._works.settle_contacts()

    async def keys(self, number: str) -> list[KeyView]:
        return await self._works.run(self._keys, parse_invite(number))

    async def meet(self, number: str, key: str) -> list[KeyView]:
        person = parse_invite(number)
        await self._works.run(self._steps.continuity.meet, person, key, self._works.now())
        await self._contact(person)
        return await self.keys(number)

    def _keys(self, person: TelephoneNumber) -> list[KeyView]:
        continuity = self._steps.continuity
        return [key_view(person, key, new=continuity.is_new(key.identity)) for key in continuity.keys(person)]

    async def _contact(self, person: TelephoneNumber) -> ContactView:
        contact: Contact = await self._works.run(self._contacts.get, person)
        for group_id in await self._works.run(self._chats_with, person):
            self._works.tell(group_id)
        self._works.tell()
        return self._works.showing.contact(contact)

    def _requests(self, consent: Consent) -> list[RequestView]:
        chats = [self._works.showing.request(each) for each in self._steps.browsing.overview(consent)]
        return chats + asking_views(self._steps, self._works.showing, consent)

    def _chat(self, group_id: bytes) -> list[ChatView]:
        return self._works.showing.chats(self._steps.browsing.overview(Consent.INBOX, group_id))

    def _chats_with(self, person: TelephoneNumber) -> list[bytes]:
        return [chat.group_id for chat in self._steps.chats.all() if chat.direct == person.e164]

    def _accept(self, group_id: bytes) -> None:
        chat = self._requested(group_id)
        with self._steps.store.transaction():
            person = TelephoneNumber.from_digits(chat.removeprefix("+"))
            self._contacts.accept(person)
            self._steps.asking.put_away(person)
            self._admit(group_id, person)

    def _admit(self, group_id: bytes, person: TelephoneNumber) -> None:
        self._steps.chats.set_consent(group_id, Consent.INBOX)
        self._steps.siblings.want_in(group_id)
        self._works.session.devices.soon()
        now = self._works.now()
        for words in self._steps.continuity.accept(group_id, person, now):
            self._steps.history.note(Kind.NOTICE, group_id, None, words, now)
        let_go = self._steps.past.let_go(group_id)
        self._steps.relations.admit_group(group_id, let_go)
        for message in self._steps.browsing.rows(let_go):
            self._steps.arrivals.take_effect(message, read(decode(message.framed)))

    def _decline(self, group_id: bytes) -> None:
        self._requested(group_id)
        with self._steps.store.transaction():
            self._steps.chats.set_consent(group_id, Consent.DECLINED)
            self._steps.relations.forget_group(group_id)
        if self._steps.chats.known(group_id).standing.is_member:
            self._steps.committer.leave(group_id)

    def _know(self, person: TelephoneNumber) -> list[bytes]:
        """Make a contact; what they have asked for is accepted with that."""
        with self._steps.store.transaction():
            self._contacts.accept(person)
            self._steps.asking.put_away(person)
            asked = self._asked_by(person, (Consent.REQUEST,))
            asked += filter(self._steps.past.lets_in, self._asked_by(person, (Consent.QUARANTINE,)))
            asked = [each for each in asked if not self._steps.continuity.asks_on_new_key(each)]
            for group_id in asked:
                self._admit(group_id, person)
        return asked

    def _block(self, person: TelephoneNumber) -> list[bytes]:
        if person == self._steps.groups.account.number:
            raise ChatError("this is your own number", code="own-number", hint="Give the number of somebody else.")
        self._contacts.block(person)
        self._steps.asking.put_away(person)
        asked = self._asked_by(person)
        for group_id in asked:
            self._decline(group_id)
        return asked

    def _asked_by(self, person: TelephoneNumber, consents: tuple[Consent, ...] = WAITING) -> list[bytes]:
        chats = self._steps.chats.all()
        return [each.group_id for each in chats if each.consent in consents and each.inviter == person.e164]

    def _requested(self, group_id: bytes) -> str:
        """Who asked. Raises ChatError unless the chat waits for a decision."""
        chat = self._steps.chats.known(group_id)
        if chat.consent not in WAITING:
            raise ChatError("there is no such request", code="unknown-request", hint="See: ringtrue requests")
        return chat.inviter
