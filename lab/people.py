"""Honest people: a name, a number and a client."""

from dataclasses import dataclass

from client.defence.admission import Consent
from client.session import Session
from identity.number import TelephoneNumber


@dataclass(frozen=True, slots=True)
class Person:
    """An honest person with an enrolled client."""

    name: str
    number: TelephoneNumber
    session: Session

    async def accept(self, group_id: bytes, inviter: TelephoneNumber) -> None:
        """Want to be in a chat, and know from now on who asked."""
        await self.session.worker.run(self._accept, group_id, inviter)

    def _accept(self, group_id: bytes, inviter: TelephoneNumber) -> None:
        steps = self.session.steps
        with steps.store.transaction():
            steps.groups.contacts.accept(inviter)
            steps.chats.set_consent(group_id, Consent.INBOX)
            steps.continuity.accept(group_id, inviter, self.session.now())
