"""A message from somebody who was removed."""

from client.errors import ServiceError
from client.formats.framing import wrap
from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.readings import service_refusal
from lab.seams import engine, service
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Have Alice remove Mallory, who then posts an honestly proven message with the keys that she still has."""
    mallory, group = stage.mallory, stage.group
    await stage.remove_mallory()
    sent = "an honestly proven message, encrypted for the epoch in which she was a member"
    framed = mallory.framed(group, "You cannot just throw me out.")
    try:
        return await stage.post(mallory.encrypt(group, wrap(mallory.prove(group, framed), framed)), sent)
    except ServiceError as refusal:
        return service_refusal(refusal, sent)


ATTACK = Attack(
    "removed-member",
    "Stay after being removed",
    "Alice removes Mallory, whose number everybody knows by now; Mallory goes on writing with the keys she has.",
    Guard(Keeper.SERVICE, "not-a-member"),
    run,
    story=(
        "Mallory was removed a moment ago and still has the keys of the last epoch in which she was a member. She "
        "wants to go on writing. The delivery service takes entries of members only, in the group's epoch only; no "
        "recipient sees anything."
    ),
    has="the keys of the epoch before her removal",
    sees="nothing: the request is refused",
    without=(service.MEMBERSHIP, service.EPOCH, engine.EPOCHS),
    spoils=True,
)
