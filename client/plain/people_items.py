"""The main menu, as far as it is about people: requests, what was held back, contacts and blocked numbers."""

from collections.abc import Awaitable, Callable

from client.desk.people_views import RequestView
from client.errors import ChatError
from client.invite import parse_invite
from client.plain import phrases
from client.plain.item import Item
from client.plain.message_items import inspect
from client.plain.report_items import report
from client.plain.talk import NotNowError, Talk
from client.words.spelling import shown_number
from client.words.wording import BLOCKING_WORDS, CAUTION_ABOUT_REACHING


async def _requests(talk: Talk, argument: str) -> None:
    requests = [*await talk.api.people.requests(), *await talk.api.people.held()]
    if not requests:
        talk.paper.say("Nobody is waiting. Nothing that strangers write is shown before you accept.")
        return
    chosen = await talk.chosen("Decide about which?", [phrases.request(each) for each in requests])
    if chosen is not None:
        decided = await talk.chosen("What?", tuple(_DECISIONS))
        if decided is not None:
            await list(_DECISIONS.values())[decided](talk, requests[chosen])


async def _accept(talk: Talk, argument: str) -> None:
    await _accept_one(talk, await _request(talk, argument))


async def _decline(talk: Talk, argument: str) -> None:
    await _decline_one(talk, await _request(talk, argument))


async def _accept_one(talk: Talk, request: RequestView) -> None:
    if request.kind == "contact":
        words = f"{shown_number(request.number)} becomes a contact, is told, and can write to you."
        if await talk.paper.agreed(f"{words} {CAUTION_ABOUT_REACHING} Let them?"):
            await talk.api.people.grant(request.number)
            talk.paper.say("They are told, and can write to you now.")
        return
    words = (
        f"{shown_number(request.number)} becomes a contact, and what they wrote is shown. A verified number does not"
    )
    if await talk.paper.agreed(f"{words} say who a person is. Accept?"):
        await talk.enter(await talk.api.people.accept(request.group))


async def _decline_one(talk: Talk, request: RequestView) -> None:
    if request.kind == "contact":
        await talk.api.people.refuse(request.number)
        talk.paper.say("Declined. They are not told.")
        return
    await talk.api.people.decline(request.group)
    talk.paper.say("Declined. What was said in it is forgotten.")


async def _block_one(talk: Talk, request: RequestView) -> None:
    await _block(talk, request.number)


async def _report_one(talk: Talk, request: RequestView) -> None:
    rows = await talk.api.people.reportable(request.group) if request.messages else []
    if not rows:
        talk.paper.say("No message here proves anything against its number, so there is nothing to report.")
    elif not await report(talk, rows[-1:], veiled=True):
        return
    await _block_one(talk, request)


async def _inspect_one(talk: Talk, request: RequestView) -> None:
    if request.row is None:
        raise NotNowError("no message waits here, so there is nothing to inspect")
    await inspect(talk, request.row)


_DECISIONS: dict[str, Callable[[Talk, RequestView], Awaitable[None]]] = {
    "Accept": _accept_one,
    "Decline": _decline_one,
    "Block": _block_one,
    "Report and block": _report_one,
    "Inspect": _inspect_one,
}


async def _block(talk: Talk, argument: str) -> None:
    number = await talk.answer(argument, "Which number?")
    if await talk.paper.agreed(f"{number}: {BLOCKING_WORDS} Block?"):
        await talk.api.people.block(number)
        talk.paper.say("Blocked.")


async def _unblock(talk: Talk, argument: str) -> None:
    await talk.api.people.unblock(await talk.answer(argument, "Which number?"))
    talk.paper.say("Unblocked. The number is a stranger again.")


async def _quarantine(talk: Talk, argument: str) -> None:
    held = await talk.api.messages.quarantine()
    if not held:
        talk.paper.say("Nothing was held back.")
        return
    chosen = await talk.chosen("Look at which?", [phrases.held(each) for each in held])
    if chosen is None:
        return
    decided = await talk.chosen("What?", ("Inspect", "Show its words"))
    if decided == 0:
        await inspect(talk, held[chosen].row)
    elif decided == 1 and await talk.paper.agreed("It was hidden for the reason above. Show its words?"):
        talk.paper.say(f"Held back: {phrases.message(await talk.api.messages.reveal(held[chosen].row))}")


async def _contacts(talk: Talk, argument: str) -> None:
    contacts = await talk.api.people.contacts()
    for number, each in enumerate(contacts, 1):
        talk.paper.say(f"{number}. {phrases.contact(each)}")
    if not contacts:
        talk.paper.say("There are no contacts yet. Who is accepted, or written to, becomes one.")


async def _know(talk: Talk, argument: str) -> None:
    contact = await talk.api.people.know(await talk.answer(argument, "Which number?"))
    talk.paper.say(f"{phrases.contact(contact)}. Its requests are accepted at once.")


async def _name(talk: Talk, argument: str) -> None:
    direct = None if talk.chat is None else talk.chat.view.direct
    number = direct or await talk.answer("", "Which number?")
    name = argument or await talk.paper.ask("What do you call it? Nobody else learns of it (Enter for no name):")
    talk.paper.say(phrases.contact(await talk.api.people.name(number, name.strip())))
    if talk.chat is not None:
        await talk.look_again()


async def _ask(talk: Talk, argument: str) -> None:
    number = await talk.answer(argument, "Whom? Nothing but your number is sent")
    talk.paper.say(phrases.ask(await talk.api.people.ask(parse_invite(number).e164)))


async def _asked(talk: Talk, argument: str) -> None:
    asked = await talk.api.people.asked()
    for number, each in enumerate(asked, 1):
        talk.paper.say(f"{number}. {phrases.ask(each)}")
    if not asked:
        talk.paper.say("You have asked nobody. To ask: /ask NUMBER")


async def _reachable(talk: Talk, argument: str) -> None:
    talk.paper.say(phrases.mode(await talk.api.people.mode(argument or None)))
    if not argument:
        talk.paper.say("To choose: /reachable open, /reachable ask or /reachable contacts")


async def _request(talk: Talk, argument: str) -> RequestView:
    number = parse_invite(await talk.answer(argument, "Whose number?")).e164
    for request in [*await talk.api.people.requests(), *await talk.api.people.held()]:
        if request.number == number:
            return request
    raise ChatError("no request is waiting from this number", code="unknown-request", hint="See who asks: /requests")


async def _keys(talk: Talk, argument: str) -> None:
    number = await talk.answer(argument, "Which number?")
    keys = await talk.api.people.keys(number)
    for key in keys:
        talk.paper.say(phrases.key(key))
    unnamed = [key for key in keys if not key.named]
    if not keys:
        talk.paper.say("No key of this number was seen in your chats.")
    elif unnamed:
        chosen = await talk.chosen("Which is the same person's, after you have asked them?", [k.key for k in unnamed])
        if chosen is not None:
            await talk.api.people.meet(number, unnamed[chosen].key)
            talk.paper.say("The number's name goes with this key now.")


PEOPLE_ITEMS = (
    Item("requests", "who wants to talk to you", _requests),
    Item("accept", "accept a request", _accept, "NUMBER"),
    Item("decline", "decline a request", _decline, "NUMBER"),
    Item("block", "block a number", _block, "NUMBER"),
    Item("unblock", "unblock a number", _unblock, "NUMBER"),
    Item("quarantine", "what was held back, and why", _quarantine),
    Item("contacts", "people you know, and blocked numbers", _contacts),
    Item("know", "make a number a contact", _know, "NUMBER"),
    Item("ask", "ask a number to let you write to it", _ask, "NUMBER"),
    Item("asked", "whom you have asked, and who has agreed", _asked),
    Item("reachable", "who can write to you", _reachable, "open|ask|contacts"),
    Item("name", "name a number", _name, "NAME"),
    Item("numberkeys", "on which keys you have met a number", _keys, "NUMBER"),
)
