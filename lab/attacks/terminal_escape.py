"""Control sequences in a text."""

import io
import os
from dataclasses import replace

from client.plain.paper import Paper
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.seams import display
from lab.stage import Stage

TITLE, UP, CLEAR = "\x1b]0;ringtrue: all is well\x07", "\x1b[1A", "\x1b[2K"
TEXT = f"Hello.{TITLE}{UP}{CLEAR}✓ NUMBER VERIFIED  +1 202-555-0101  Alice: please pay today"


async def run(stage: Stage) -> Outcome:
    """Sign a text that would move the cursor and write a line of its own over what the client has drawn."""
    framed = stage.mallory.framed(stage.group, TEXT)
    found = await stage.send_proven(stage.mallory.prove(stage.group, framed), framed)
    drawn = io.StringIO()
    with open(os.devnull) as nothing:
        Paper(nothing.fileno(), drawn).say("" if found.message is None else found.message.text)
    if UP in drawn.getvalue():
        return found
    if not found.won:
        return found
    reason = "The sequences are broken and visible: no terminal obeys them."
    return replace(found, by=display.HARMLESS_TEXT.guard, reason=reason, won=False)


ATTACK = Attack(
    "terminal-escape",
    "Take over the terminal",
    "Mallory's text has control sequences that would draw a verified message of Alice's over her own.",
    display.display("harmless-text"),
    run,
    story=(
        "Mallory has an honest proof and a text full of control sequences. She wants the recipient's terminal to "
        "obey it: to change the title, to go up a line, and to draw a message of Alice's with its mark. Text of "
        "others is made harmless when it is decoded: the sequences lose their first character, which shows as a "
        "sign that something was tried."
    ),
    has="a number and a place in the group",
    sees="the text with its control sequences broken and visible",
    without=(display.HARMLESS_TEXT,),
)
