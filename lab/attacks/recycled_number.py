"""The next holder of a number."""

from dataclasses import replace

from lab.approach import approach
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import admission
from lab.stage import Stage

NEW = "Alice's client has met another key of this number: a new telephone, or a new holder."


async def run(stage: Stage) -> Outcome:
    """Certify Bob's number anew, with a code that reached somebody else, and write to Alice from it."""
    alice, bob = stage.people[:2]
    heir = await stage.world.mallory(bob.number.e164)
    found = await approach(heir, alice, "Hi Alice, new phone. What was the door code again?")
    if found.message is None or found.won:
        return found
    mark = await alice.session.worker.run(alice.session.steps.continuity.mark, found.message.id)
    return replace(found, by=admission.NEW_KEY.guard, reason=NEW) if mark == "new" else found


ATTACK = Attack(
    "recycled-number",
    "Inherit a number",
    "The next holder of Bob's number writes to Alice, who knows Bob by it.",
    admission.rule("new key"),
    run,
    story=(
        "Bob has given up his number, and the operator has passed it on. Its new holder has a genuine certificate "
        "for it and wants to be Bob: to Alice, the proof is right. A number proves itself and not who holds it. "
        "Alice's client has met Bob's key, and this is another one: his chats stay his, and what the new holder "
        "writes is a request of its own that says so."
    ),
    has="the number that Bob had before",
    sees="a request of its own: a key that was not met",
    without=(admission.NEW_KEY,),
)
