"""How somebody whom a person does not know gets words to them: key packages, a new group, a Welcome, a message."""

from dataclasses import replace

from client.defence.admission import BEHIND_CHAT
from client.errors import ServiceError
from client.formats.framing import wrap
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.mallory import Mallory
from lab.people import Person
from lab.readings import outcome, reading, service_refusal

SENT = "a Welcome from a stranger's group, and a message with an honest proof"


async def approach(stranger: Mallory, victim: Person, text: str) -> Outcome:
    """Write to somebody by all the rules, and say where their client has put it."""
    try:
        (package, *_) = await stranger.delivery.claim_key_packages(victim.number)
    except ServiceError as refusal:
        return service_refusal(refusal, "a signed claim for key packages")
    group_id = await stranger.begin([package])
    framed = stranger.framed(group_id, text)
    seq = await stranger.post(group_id, stranger.encrypt(group_id, wrap(stranger.prove(group_id, framed), framed)))
    found = outcome(reading(await victim.session.receive(), group_id, seq))
    return await _placed(victim, group_id, found)


async def befriend(stranger: Mallory, victim: Person) -> bytes:
    """Write to somebody by all the rules and be accepted; returns the id of the chat."""
    first = (await approach(stranger, victim, "Hello, it was nice to meet you!")).message
    assert first is not None, "what a stranger writes stands behind the request"
    await victim.accept(first.group_id, stranger.number)
    return first.group_id


async def write(stranger: Mallory, victim: Person, group_id: bytes, text: str, iat: int | None = None) -> Outcome:
    """Write into a chat that was accepted, signed now or as if at `iat`, and say what the client made of it."""
    framed = stranger.framed(group_id, text)
    claims = stranger.claims(group_id, framed)
    proof = stranger.sign(claims if iat is None else claims | {"iat": iat})
    seq = await stranger.post(group_id, stranger.encrypt(group_id, wrap(proof, framed)))
    return outcome(reading(await victim.session.receive(), group_id, seq))


async def _placed(victim: Person, group_id: bytes, found: Outcome) -> Outcome:
    """Name the rule that put the chat where it is, where the message only follows its chat."""
    by, reason = found.by, found.reason
    if by == Guard(Keeper.ADMISSION, BEHIND_CHAT):
        reason, rule = await victim.session.worker.run(victim.session.steps.admitting.why_chat, group_id)
        by = Guard(Keeper.ADMISSION, rule)
    return replace(found, by=by, reason=reason, sent=SENT)
