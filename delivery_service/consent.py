"""Contact before ciphertext: how a number may be reached, who asks it, and whom it grants."""

from collections.abc import Sequence

import msgspec

from delivery_service.credentials import Credentials
from delivery_service.errors import RefusedError
from delivery_service.http.requests import number_in
from delivery_service.quotas import Quotas
from delivery_service.sessions import Session
from delivery_service.storage.store import Store
from delivery_service.storage.values import Approach
from delivery_service.wire import (
    CONTACT_GRANTS_LIMIT,
    SIGNATURE_FIELD_LIMIT,
    AskedContact,
    ContactGrant,
    ContactMode,
    ContactRequest,
    ContactRequested,
    ContactRequests,
    Reachability,
)

_PROOF = msgspec.msgpack.Decoder(AskedContact)


class Consent:
    """What the endpoints of contact modes, requests and grants do."""

    def __init__(self, store: Store, credentials: Credentials, quotas: Quotas) -> None:
        self._store = store
        self._credentials = credentials
        self._quotas = quotas

    async def claim(self, session: Session, target: str, now: int, *, sparing: bool) -> list[bytes]:
        """Key packages of a number that may be reached; refuses no-consent, and rate-limited a first contact."""
        return await self._store.claim(approach(session, target, now), self._quotas, sparing=sparing)

    async def set_mode(self, number: str, choice: ContactMode) -> Reachability:
        """Chooses how a number may be reached, and grants others."""
        if len(choice.granted) > CONTACT_GRANTS_LIMIT:
            raise RefusedError(
                "too-large",
                f"at most {CONTACT_GRANTS_LIMIT} numbers",
                limit=CONTACT_GRANTS_LIMIT,
                limit_name="CONTACT_GRANTS_LIMIT",
            )
        await self._store.set_mode(number, choice.mode, _others(number, choice.granted))
        return await self._store.reachability(number)

    async def reachability(self, number: str) -> Reachability:
        """What is kept of a number's choice."""
        return await self._store.reachability(number)

    def check(self, session: Session, request: ContactRequest, proof: AskedContact, now: int) -> Approach:
        """Judges a contact request as its target will: the chain must be this device's own."""
        if max(len(proof.signature_input), len(proof.signature), len(proof.authority)) > SIGNATURE_FIELD_LIMIT:
            raise RefusedError("malformed", f"a signature's field has at most {SIGNATURE_FIELD_LIMIT} characters")
        device = self._credentials.device(tuple(request.chain), session.point, now)
        if device.identity != session.device:
            raise RefusedError("credential-refused", "the chain is not that of the session's device")
        return approach(session, number_in(request.number), now)

    async def ask(self, approach: Approach, proof: AskedContact) -> ContactRequested:
        """Keeps a request until the number answers it."""
        return await self._store.ask(approach, msgspec.msgpack.encode(proof), self._quotas)

    async def waiting(self, number: str, now: int) -> ContactRequests:
        """What waits for a number."""
        waiting = await self._store.waiting(number, now)
        return ContactRequests([_PROOF.decode(proof) for _, proof in waiting.asked], waiting.granted, waiting.head)

    async def decide(self, number: str, grant: ContactGrant) -> None:
        """Carries out a decision about one other number."""
        for other in _others(number, [grant.number]):
            await self._store.decide(number, other, grant.decision)


def approach(session: Session, target: str, now: int) -> Approach:
    """A session's device on its way to a number."""
    return Approach(session.device, session.number, session.issuer, target, now)


def _others(own: str, numbers: Sequence[str]) -> list[str]:
    return [number for number in dict.fromkeys(map(number_in, numbers)) if number != own]
