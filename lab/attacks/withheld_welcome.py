"""A delivery service that keeps a Welcome to itself."""

from client.defence.words_about_log import PATIENCE
from client.desk.agreement import agreement
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.casting import FRIENDS, enrol
from lab.deception import VERA, Deceived
from lab.lying import everything
from lab.readings import NOTICED
from lab.seams import witness
from lab.stage import Stage
from lab.world import World


async def run(_: Stage) -> Outcome:
    """Let Alice add Vera in a world where days may pass, and never show Vera the Welcome."""
    async with World() as world:
        alice, deceived = await enrol(world, "Alice", FRIENDS["Alice"]), await Deceived.at(world)
        deceived.liar.keep_welcomes = everything
        vera, steps = deceived.person, alice.session.steps
        group = (await alice.session.create_chat("For Vera", [vera.number])).group_id
        await alice.session.send(group, "The court hearing is on Thursday.")
        world.clock.advance(PATIENCE)
        unaware = not await vera.session.receive() and not await vera.session.chats()
        now = int(world.clock())
        words = (await alice.session.worker.run(steps.lookout.words.of, group)).values()
        (view,) = await alice.session.worker.run(agreement, steps, group, now)
    sent = "every answer, but without the Welcome"
    if any(word.is_overdue(now) for word in words):
        return Outcome(witness.UNHEARD.guard, _sentence(view.words), NOTICED, sent=sent)
    return Outcome(None, "Alice's client waits for Vera.", sent=sent, won=unaware)


def _sentence(words: str) -> str:
    """The line of the list of members without its mark."""
    return f"{VERA}: {words.removeprefix('⚠ ')}."


ATTACK = Attack(
    "withheld-welcome",
    "Keep an invitation",
    "The delivery service never hands Vera the Welcome to Alice's chat.",
    witness.UNHEARD.guard,
    run,
    story=(
        "The delivery service wants Alice to believe that Vera is told everything, and Vera to know of nothing. It "
        "keeps the Welcome, so that Vera's client has no chat at all. Whoever was added and has said nothing for "
        "three days is named in the chat's list of members, as somebody who may not know; Alice can add her again."
    ),
    has="the delivery service",
    sees="in the list of members: who may not know of the chat",
    without=(witness.UNHEARD,),
)
