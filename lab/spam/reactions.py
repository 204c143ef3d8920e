"""What people do when they come across a first contact: look, accept, decline, block, report."""

from dataclasses import dataclass
from random import Random

from client.defence.admission import Consent
from client.desk.people_views import RequestView
from client.records.message import Kind, Message
from lab.spam.population import Person
from lab.spam.records import Attempt
from lab.spam.scenario import Defence, Scenario


@dataclass(frozen=True, slots=True)
class Reactions:
    """The reactions of everybody in one step of a scenario; chance is the same whatever else happens."""

    scenario: Scenario
    step: int

    async def to(self, person: Person, attempt: Attempt) -> bool:
        """Let a person come across a first contact, and react; whether nothing more will come of it."""
        mood = self._mood(attempt)
        if attempt.asked and not attempt.group:
            return await self._to_asking(person, attempt, mood)
        found = await person.desk.session.worker.run(_found, person, attempt.group)
        if found is None:
            return False
        consent, message = found
        attempt.place = message.place if consent is Consent.INBOX else consent
        match attempt.place:
            case "inbox":
                attempt.seen = self.step
                if attempt.spam and mood.random() < self.scenario.habits.reports:
                    await self._report(person, attempt, message)
            case "request":
                if mood.random() >= self.scenario.habits.looks:
                    return False
                attempt.carded = self.step
                await self._answer(person, attempt, message, mood.random())
        return True

    async def _to_asking(self, person: Person, attempt: Attempt, mood: Random) -> bool:
        """A number asks to reach somebody who wants to be asked."""
        people, habits = person.desk.people, self.scenario.habits
        request = _asking(await people.requests(), attempt)
        if request is None:
            held = _asking(await people.held(), attempt) is not None
            attempt.place = "quarantine" if held else attempt.place
            return held
        attempt.place = "request"
        if mood.random() >= habits.looks:
            return False
        attempt.carded = self.step
        attempt.granted = mood.random() < (habits.grants_spam if attempt.spam else habits.accepts_stranger)
        await (people.grant(attempt.number) if attempt.granted else people.refuse(attempt.number))
        return not attempt.granted

    async def _answer(self, person: Person, attempt: Attempt, message: Message, draw: float) -> None:
        habits = self.scenario.habits
        accepts, reports = (
            (habits.accepts_spam, habits.reports) if attempt.spam else (habits.accepts_stranger, habits.misreports)
        )
        if draw < accepts:
            await person.desk.people.accept(attempt.group)
            attempt.accepted = attempt.seen = self.step
        elif draw < accepts + reports:
            await self._report(person, attempt, message)
        else:
            await person.desk.people.decline(attempt.group)

    async def _report(self, person: Person, attempt: Attempt, message: Message) -> None:
        if self.scenario.has(Defence.REPORTS):
            await person.desk.messages.report([message.id], "spam", "")
            attempt.reported = self.step
        await person.desk.people.block(attempt.number)

    def _mood(self, attempt: Attempt) -> Random:
        names = self.scenario.seed, attempt.sender, attempt.target, attempt.step, self.step
        return Random("/".join(map(str, names)))  # noqa: S311 - a story, not a secret


def _asking(requests: list[RequestView], attempt: Attempt) -> RequestView | None:
    return next((each for each in requests if each.kind == "contact" and each.number == attempt.number), None)


def _found(person: Person, group: str) -> tuple[Consent, Message] | None:
    """Where a chat is, and the message in it, once it has arrived; runs on the worker thread."""
    steps, group_id = person.desk.session.steps, bytes.fromhex(group)
    chat = steps.chats.get(group_id)
    if chat is None:
        return None
    received = [row for row in steps.history.chat(group_id) if row.kind is Kind.RECEIVED]
    return (chat.consent, received[0]) if received else None
