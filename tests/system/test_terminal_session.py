"""Two people and a stranger: the terminal client in real terminals, from the first start to the second."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from identity.number import TelephoneNumber
from lab.world import World
from tests.system.tmux import PROMPT, TMUX, Terminal, server

pytestmark = pytest.mark.skipif(TMUX is None, reason="tmux is not installed")

ALICE, BOB, STRANGER = "+12025550142", "+12025550143", "+12025550177"
PASSPHRASE = "four unrelated words here"
QUESTION = (
    "Shall we meet at the harbour at eight, by the red boat that we saw in the summer? The tide is in then, and "
    "the café beside the lighthouse, where we sat with your sister, stays open until midnight on Fridays."
)
AFTERTHOUGHT = "Bring a coat."
ANSWER = "Yes, and I bring the map"
TITLE, LURE, LINK = "Lotterywinners", "Congratulations", "prize.example"


@dataclass
class Cast:
    """Two people at their terminals, in one world."""

    world: World
    alice: Terminal
    bob: Terminal


@pytest.fixture(params=[(100, 30), (80, 24)], ids=["100x30", "80x24"])
async def cast(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cast]:
    columns, rows = request.param
    async with World() as world, server():
        alice, bob = (Terminal(name, tmp_path / name, columns, rows) for name in ("alice", "bob"))
        await alice.open()
        await bob.open()
        yield Cast(world, alice, bob)


async def test_two_people_talk_and_find_everything_again(cast: Cast) -> None:
    alice, bob = cast.alice, cast.bob
    await asyncio.gather(first_run(cast.world, alice, ALICE), first_run(cast.world, bob, BOB))
    await bob.presses("Escape")
    await bob.shows("✓ online", "as +1 202-555-0143")

    await begin(alice, "+1 (202) 555-0143")
    await alice.types(QUESTION, "Enter")
    await alice.types(AFTERTHOUGHT, "Enter")
    await accept(bob, "+1 202-555-0142")
    await bob.until(lambda screen: QUESTION in talk(screen), "all of the question")
    await bob.shows(f"▌ {AFTERTHOUGHT}")

    await reply(bob, ANSWER)
    await alice.shows("▸ you: Bring a coat.", f"▌ {ANSWER}")
    await react(alice, "1")
    await bob.shows("+1 202-555-0142 👍")
    colour = await send_picture(alice)
    await look_at_picture_and_save_it(bob, colour)
    await inspect(bob)

    await block(cast.world, bob)
    await find(bob, "lighthouse midnight", QUESTION)
    await asyncio.gather(come_back(alice, "+1 202-555-0143"), come_back(bob, "+1 202-555-0142"))
    await alice.shows("you 👍", "harbour.png")
    await bob.shows("▸ +1 202-555-0142: Bring a coat.", f"▌ {ANSWER}", "+1 202-555-0142 👍", "saved at")
    for person in (alice, bob):
        await select_last(person)
        await person.presses("Home")
        await person.until(lambda screen: QUESTION in talk(screen), "all of the question")
    await see_that_the_stranger_was_not_heard(bob)


async def first_run(world: World, person: Terminal, number: str) -> None:
    """Type the command, and do what the screen says until somebody can be written to."""
    await person.types(f"ringtrue --authority {world.authority_url} --delivery {world.delivery_url}", "Enter")
    await person.shows("Welcome to Ringtrue", "Begin")
    await person.presses("Enter")
    await person.shows("Your telephone number", "certifies numbers with +1202555")
    await person.types(number)
    await person.shows(f"✓ {TelephoneNumber.parse(number)} United States")
    await person.presses("Enter")
    await person.shows("A code of 6 digits was sent to")
    await person.types(world.codes.codes[TelephoneNumber.parse(number)], "Enter")
    await person.shows("✓ A key was made on this computer", "is valid until", "Continue")
    await person.presses("Enter")
    await person.shows("Passphrase", "The same again")
    await person.types(PASSPHRASE, "Enter")
    await person.under("The same again")
    await person.types(PASSPHRASE, "Enter")
    await person.shows("▸ First chat", "Start the chat")


async def begin(person: Terminal, number: str) -> None:
    """Name somebody who has enrolled just now, again until they can be found: key packages follow an enrolment."""
    absent = "No other device of that number"
    await person.types(number, "Enter")
    while absent in await person.until(lambda screen: "Enter sends" in screen or absent in screen, "an answer"):
        await person.presses("BSpace", "Enter")
        await person.shows("is not a telephone number")
        await person.types(number[-1], "Enter")


async def accept(person: Terminal, who: str) -> None:
    """Go to the request, see that it shows nothing of what was written, and accept it."""
    await person.shows("! Requests 1")
    await person.presses("F3")
    await person.shows(f"✓ NUMBER VERIFIED {who}", "2 messages wait", "here because: You have not accepted")
    assert not [word for word in ("harbour", "lighthouse", "coat") if word in person.drawn]
    await person.presses("a")
    await person.shows("Accept this request?", "does not say who a person is")
    await person.presses("Right", "Enter")


async def reply(person: Terminal, words: str) -> None:
    await select_last(person)
    await person.presses("r")
    await person.shows("Replying to +1 202-555-0142, Esc leaves: Bring a coat.")
    await person.types(words, "Enter")
    await person.shows("▸ +1 202-555-0142: Bring a coat.", f"▌ {words}", "delivered")


async def react(person: Terminal, digit: str) -> None:
    await select_last(person)
    await person.presses("+")
    await person.shows("React", "1 👍")
    await person.presses(digit)
    await person.shows("you 👍")


async def send_picture(person: Terminal) -> tuple[int, int, int]:
    """Draw a picture, find it in the folders, and send it; its colour."""
    colour = (200, 30, 30)
    Image.new("RGB", (64, 48), colour).save(person.home / "harbour.png")
    await person.presses("F8")
    await person.shows("Attach a file", "harbour.png")
    await person.presses("End", "Enter")
    await person.under("Words to go with it")
    await person.types("Here it is", "Enter")
    await person.shows("▌ Here it is", "a picture", "harbour.png")
    return colour


async def look_at_picture_and_save_it(person: Terminal, colour: tuple[int, int, int]) -> None:
    await person.shows("▌ Here it is", "harbour.png", "o opens it")
    await select_last(person)
    await person.presses("o")
    await person.shows("╭─ harbour.png", "▀▀▀▀")
    await person.presses("s")
    await person.shows("Saved as")
    with Image.open(person.home / "Downloads" / "harbour.png") as picture:
        assert (picture.size, picture.getpixel((30, 20))) == ((64, 48), colour)
    await person.presses("Escape")
    await person.hides("╭─ harbour.png")


async def inspect(person: Terminal) -> None:
    """Look at the proof of the message that is selected."""
    await person.shows("►✓ NUMBER VERIFIED +1 202-555-0142")
    await person.presses("i")
    await person.shows("Checks: 15 passed", "The conversation is known", "It does not prove who a person")
    await person.presses("Escape")
    await person.hides("15 passed")


async def block(world: World, person: Terminal) -> None:
    """Let a stranger write, and block them from the card; let them write again."""
    stranger = await world.person("Stranger", STRANGER)
    chat = await stranger.create_chat(TITLE, [TelephoneNumber.parse(BOB)])
    await stranger.send(chat.group_id, f"{LURE} https://{LINK}")
    await person.shows("✓ online - ! 1 request")
    await person.presses("F3")
    await person.shows("✓ NUMBER VERIFIED +1 202-555-0177", "1 message waits")
    await person.presses("b")
    await person.shows("Block?", "+1 202-555-0177: declined")
    await person.presses("Right", "Enter")
    await person.shows("Nobody is waiting")
    await person.presses("Escape")
    await person.hides("Nobody is waiting")
    again = await stranger.create_chat(f"{TITLE} again", [TelephoneNumber.parse(BOB)])
    await stranger.send(again.group_id, f"{LURE} again https://{LINK}")


async def find(person: Terminal, words: str, text: str) -> None:
    """Find a message by two of its words, and go to it."""
    await person.presses("F7")
    await person.shows("Find in all chats")
    await person.types(words)
    await person.shows("1 message found", "[lighthouse]")
    await person.presses("Enter")
    await person.hides("1 message found")
    await person.until(lambda screen: text in talk(screen) and "►" in screen, "the message that was found")


async def come_back(person: Terminal, chat: str) -> None:
    """Quit to the shell, start again, and open the chat."""
    await person.presses("C-q")
    await person.shows(PROMPT)
    await person.types("clear; echo left with $?", "Enter")
    await person.shows("left with 0")
    await person.types("ringtrue", "Enter")
    await person.shows("The passphrase of this account")
    await person.types("not this one", "Enter")
    await person.shows("✗ ")
    await person.types(PASSPHRASE, "Enter")
    await person.shows("✓ online", chat)
    await person.presses("Enter")
    await person.shows("Enter sends")


async def see_that_the_stranger_was_not_heard(person: Terminal) -> None:
    """Wait until what they tried was counted; nothing that they wrote was ever on this terminal."""
    await person.presses("Escape")
    await person.shows("⏎ Send")
    while True:
        await person.types("/contacts", "Enter")
        if "dropped" in await person.shows("⊘ +1 202-555-0177"):
            break
        await person.presses("Escape")
        await person.hides("Blocked: 1")
    drawn = person.drawn
    assert "Blocked: 1" in drawn
    assert not [word for word in (TITLE, LURE, LINK, "prize") if word in drawn]


async def select_last(person: Terminal) -> None:
    """From the empty composer to the newest message; what the keys do then stands at the foot."""
    if "r Reply" not in await person.shows("Enter sends"):
        await person.presses("Up")
        await person.shows("r Reply")


def talk(screen: str) -> str:
    """The conversation's words in one line, without its gutter, its scrollbar and the list beside it."""
    lines = (line.split("│", 1)[-1] for line in screen.split("\n"))
    return re.sub(r"[\s▁-█▌►]+", " ", "\n".join(lines))
