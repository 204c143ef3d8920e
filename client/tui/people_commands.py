"""What can be asked for about people: requests, quarantine, contacts, blocked numbers and their names."""

from typing import TYPE_CHECKING

from client.desk.people_views import RequestView
from client.errors import ChatError
from client.tui.command import Command, agreed, answer

if TYPE_CHECKING:
    from client.tui.app import RingtrueApp


async def _requests(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.requests import RequestsScreen

    await app.push_screen(RequestsScreen())


async def _quarantine(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.requests import RequestsScreen

    await app.push_screen(RequestsScreen("held"))


async def _rules(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.rules import RulesScreen

    await app.push_screen(RulesScreen())


async def _accept(app: "RingtrueApp", argument: str) -> None:
    if argument:
        request = await _request(app, argument)
        if request.kind == "contact":
            await app.api.people.grant(request.number)
            app.notify("They are told, and can write to you now.")
            return
        await app.open_chat(await app.api.people.accept(request.group))
    else:
        await _requests(app, "")


async def _decline(app: "RingtrueApp", argument: str) -> None:
    if argument:
        request = await _request(app, argument)
        if request.kind == "contact":
            await app.api.people.refuse(request.number)
            app.notify("Declined. They are not told.")
            return
        await app.api.people.decline(request.group)
        app.notify("Declined. What was said in it is forgotten.")
    else:
        await _requests(app, "")


async def _block(app: "RingtrueApp", argument: str) -> None:
    from client.words.wording import BLOCKING_WORDS  # loads cryptography, which the first frame does without

    number = await answer(app, argument, "Block a number", "Which number?", _other(app))
    if number is not None and await agreed(app, "Block a number", f"{number}: {BLOCKING_WORDS}", "Block"):
        await app.api.people.block(number)
        app.notify("Blocked.")


async def _unblock(app: "RingtrueApp", argument: str) -> None:
    number = await answer(app, argument, "Unblock a number", "Which number?", _other(app))
    if number is not None:
        await app.api.people.unblock(number)
        app.notify("Unblocked. The number is a stranger again.")


async def _contacts(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.people import PeopleScreen

    await app.push_screen(PeopleScreen())


async def _name(app: "RingtrueApp", argument: str) -> None:
    number = _other(app)
    if not number:
        number = await answer(app, "", "Name a number", "Which number?") or ""
    name = await answer(app, argument, "Name a number", "What do you call this number? Nobody else learns of it.")
    if number and name is not None:
        from client.tui.screens.phrases import shortened_name

        named = await app.api.people.name(number, name)
        if words := shortened_name(name, named.name):
            app.notify(words)


async def _ask(app: "RingtrueApp", argument: str) -> None:
    from client.invite import parse_invite

    number = await answer(app, argument, "Ask a number", "Whom? Nothing but your number is sent.", _other(app))
    if number is not None:
        asked = await app.api.people.ask(parse_invite(number).e164)
        app.notify(f"{asked.number}: {asked.words}", markup=False)


async def _reachable(app: "RingtrueApp", argument: str) -> None:
    if argument:
        mode = await app.api.people.mode(argument)
        app.notify(f"{mode.mode}: {mode.words}", markup=False)
    else:
        from client.tui.screens.settings import SettingsScreen

        await app.push_screen(SettingsScreen())


async def _request(app: "RingtrueApp", number: str) -> RequestView:
    from identity.number import TelephoneNumber

    meant = TelephoneNumber.parse(number).e164
    for request in await app.api.people.requests():
        if request.number == meant:
            return request
    raise ChatError("no request is waiting from this number", hint="F3 shows the requests.")


def _other(app: "RingtrueApp") -> str:
    """The other person's number if the chat in view is with one person."""
    if app.message is not None and app.message.kind == "received" and app.message.sender:
        return app.message.sender
    return (app.chat.direct or "") if app.chat is not None else ""


PEOPLE_COMMANDS = (
    Command("requests", "Requests", "Who wants to talk to you", "requests", _requests),
    Command("quarantine", "Quarantine", "What was held back, and why", "quarantine", _quarantine),
    Command("rules", "Rules", "Where chats and messages of others go, and by which rule", "rules", _rules),
    Command("accept", "Accept a request", "Talk to who asks", "accept", _accept, argument="NUMBER"),
    Command("decline", "Decline a request", "Forget what was said in it", "decline", _decline, argument="NUMBER"),
    Command("block", "Block a number", "Hear nothing from it any more", "block", _block, argument="NUMBER"),
    Command("unblock", "Unblock a number", "Treat it as a stranger again", "unblock", _unblock, argument="NUMBER"),
    Command("contacts", "Contacts", "People you know, and blocked numbers", "contacts", _contacts),
    Command("ask", "Ask a number", "Ask to be let through to it", "ask", _ask, argument="NUMBER"),
    Command("asked", "Whom you have asked", "Who has agreed, among your contacts", "asked", _contacts),
    Command(
        "reachable",
        "Who can write to you",
        "Everybody, who asks first, or contacts",
        "reachable",
        _reachable,
        argument="open|ask|contacts",
    ),
    Command("name", "Name a number", "Call a number by a name of your own", "name", _name, argument="NAME"),
)
