"""How somebody whom a person does not know gets words to them: key packages, a new group, a Welcome, a message."""

from dataclasses import replace

from client.defence.admission import BEHIND_CHAT
from client.errors import ServiceError
from client.framing import wrap
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


async def _placed(victim: Person, group_id: bytes, found: Outcome) -> Outcome:
    """Name the rule that put the chat where it is, where the message only follows its chat."""
    by, reason = found.by, found.reason
    if by == Guard(Keeper.ADMISSION, BEHIND_CHAT):
        reason, rule = await victim.session.worker.run(victim.session.steps.admitting.why_chat, group_id)
        by = Guard(Keeper.ADMISSION, rule)
    return replace(found, by=by, reason=reason, sent=SENT)
