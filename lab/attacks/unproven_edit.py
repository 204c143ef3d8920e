"""Other words in the place of proven ones."""

from dataclasses import replace

from client.formats import content
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import display
from lab.stage import Stage

FIRST, SECOND = "Lunch at one?", "Send 500 to my new account."


async def run(stage: Stage) -> Outcome:
    """Say something with a proof, then edit it without one, so that the new words stand under the old mark."""
    group = stage.group
    _, framed = await stage.send_honestly(group, FIRST)
    original = content.decode(framed)
    edited = content.encode(content.edit(original, original.message_id, SECOND))
    found = await stage.send(edited, "an edit of a proven message, without any proof")
    rows = [row for row in await stage.alice.session.history(group) if row.message_id == original.message_id.hex()]
    if rows[-1].words == SECOND:
        return replace(found, by=None, won=True, message=rows[-1])
    return replace(found, by=display.PROVEN_CHANGES.guard, reason="The first words stay; the edit stands beside them.")


ATTACK = Attack(
    "unproven-edit",
    "Edit a proven message",
    "Mallory edits her own proven message without a proof, and hopes that the old mark covers the new words.",
    display.display("proven-changes"),
    run,
    story=(
        "Mallory has a verified message in the chat. She wants other words to stand in its place, under its mark, "
        "without having signed them. Only an edit with a proof takes effect: the recipient sees the first words "
        "unchanged, and the edit as a message of its own with NO PROOF."
    ),
    has="a proven message of her own",
    sees="the first words unchanged; the edit with NO PROOF",
    without=(display.PROVEN_CHANGES,),
)
