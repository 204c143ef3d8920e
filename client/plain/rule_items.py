"""The main menu, as far as it is about admission rules: which they are, a trial of others, and using those."""

from collections.abc import Awaitable, Callable

from client.defence.rule_words import (
    RESET,
    SAVED,
    change_words,
    count_words,
    in_force_words,
    listed_words,
    move_words,
    tried_words,
)
from client.defence.rules import read_toml
from client.plain.file_items import typed_path
from client.plain.item import Item
from client.plain.talk import Talk

READ_OUT = 10  # changes of a trial, the newest ones


async def _rules(talk: Talk, argument: str) -> None:
    in_force = await talk.api.admission.rules()
    talk.paper.say(in_force_words(in_force))
    for number, rule in enumerate(in_force.rules, 1):
        talk.paper.say(f"{number}. {listed_words(rule)}")
    chosen = await talk.chosen("What?", tuple(_DECISIONS))
    if chosen is not None:
        await list(_DECISIONS.values())[chosen](talk)


async def _tried(talk: Talk) -> str:
    """The rules of a file, after it was read out what they would have done."""
    path = typed_path(await talk.answer("", "Which file of rules? Its path"))
    toml = read_toml(path)
    trial = await talk.api.admission.test(toml)
    talk.paper.say(tried_words(trial))
    for move in trial.moves:
        talk.paper.say(move_words(move))
    for change in trial.changes[:READ_OUT]:
        talk.paper.say(change_words(change))
    return toml


async def _test(talk: Talk) -> None:
    await _tried(talk)


async def _use(talk: Talk) -> None:
    toml = await _tried(talk)
    if await talk.paper.agreed("Use these rules from now on?"):
        await talk.api.admission.use(toml)
        talk.paper.say(SAVED)


async def _reset(talk: Talk) -> None:
    if await talk.paper.agreed("Use the rules that this program comes with?"):
        await talk.api.admission.reset()
        talk.paper.say(RESET)


async def _counts(talk: Talk) -> None:
    counts = await talk.api.admission.counts()
    for count in counts:
        talk.paper.say(count_words(count))
    if not counts:
        talk.paper.say("Nothing was hidden so far.")


_DECISIONS: dict[str, Callable[[Talk], Awaitable[None]]] = {
    "What each has hidden": _counts,
    "Try a file of rules": _test,
    "Use a file of rules": _use,
    "Use the program's own rules": _reset,
}

RULE_ITEMS = (Item("rules", "where chats and messages of others go, and by which rule", _rules),)
