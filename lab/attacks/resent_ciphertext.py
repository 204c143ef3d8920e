"""The same ciphertext a second time."""

from lab.attacks.attack import Attack
from lab.attacks.outcome import Guard, Keeper, Outcome
from lab.seams import checks, display, engine
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Post the octets of an honest message again, as a new entry."""
    ciphertext = await stage.send_and_keep_ciphertext("See you there.")
    return await stage.post(ciphertext, f"the same {len(ciphertext)} octets under a new idempotency key")


ATTACK = Attack(
    "resent-ciphertext",
    "Post the same ciphertext again",
    "Mallory posts the very octets of an earlier message as a new entry of the group's log.",
    Guard(Keeper.ENGINE, "already_read"),
    run,
    story=(
        "Mallory has the ciphertext of an earlier message. She wants it read once more as a new entry of the log. "
        "The key that decrypts it was deleted with the first reading: each client notes an entry that could not be "
        "read, and shows no message."
    ),
    has="the ciphertext of an earlier message",
    sees="a line: it came again and was not read twice",
    without=(engine.KEYS, checks.REPLAY, display.SHOWN_ONCE),
)
