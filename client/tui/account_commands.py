"""What can be asked for about the account, this device and the program."""

from typing import TYPE_CHECKING

from client.tui.command import Command, answer

if TYPE_CHECKING:
    from client.tui.app import RingtrueApp


async def _invite_screen(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.invite import InviteScreen

    await app.push_screen(InviteScreen())


async def _status(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.status import StatusScreen

    await app.push_screen(StatusScreen())


async def _alarms(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.alarms import AlarmsScreen

    await app.push_screen(AlarmsScreen())


async def _devices(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.devices import DevicesScreen

    await app.push_screen(DevicesScreen())


async def _trust(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.trust import TrustScreen

    await app.push_screen(TrustScreen())


async def _standing(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.standing import StandingScreen

    if not argument:
        await app.push_screen(StandingScreen())
        return
    from client.words.spelling import shown_number  # loads cryptography, which the first frame does without

    found = await app.api.people.status(argument)
    app.notify(f"{found.label} {shown_number(found.number)}: {found.words}".strip(), markup=False)


async def _appeal(app: "RingtrueApp", argument: str) -> None:
    from client.defence.report_words import standing_lines
    from client.tui.screens.standing import APPEAL

    text = await answer(app, argument, "Appeal", APPEAL)
    if text:
        standing = await app.api.device.standing(text)
        app.notify("\n".join(standing_lines(standing)), markup=False)


async def _transfers(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.transfers import TransfersScreen

    await app.push_screen(TransfersScreen())


async def _service_data(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.service_data import ServiceDataScreen

    await app.push_screen(ServiceDataScreen())


async def _sync(app: "RingtrueApp", argument: str) -> None:
    with app.doing("reading what is new"):
        await app.api.device.sync()


async def _settings(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.settings import SettingsScreen

    await app.push_screen(SettingsScreen())


async def _theme(app: "RingtrueApp", argument: str) -> None:
    names = ", ".join(sorted(app.available_themes))
    name = await answer(app, argument, "Theme", f"Which one? {names}", app.theme)
    if name is None:
        return
    if name in app.available_themes:
        app.theme = name
    else:
        app.notify(f"There is no theme of this name. There are {names}.", severity="warning")


async def _keys_test(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.keys_test import KeysTestScreen

    await app.push_screen(KeysTestScreen())


async def _lock(app: "RingtrueApp", argument: str) -> None:
    app.lock()


async def _incognito(app: "RingtrueApp", argument: str) -> None:
    app.incognito = not app.incognito


async def _plain(app: "RingtrueApp", argument: str) -> None:
    app.notify("Quit, then start: ringtrue --plain. It works with screen readers and in every terminal.", timeout=15)


async def _redraw(app: "RingtrueApp", argument: str) -> None:
    app.refresh(repaint=True, layout=True)


async def _help(app: "RingtrueApp", argument: str) -> None:
    from client.tui.screens.help import HelpScreen

    await app.push_screen(HelpScreen())


async def _quit(app: "RingtrueApp", argument: str) -> None:
    await app.action_quit()


ACCOUNT_COMMANDS = (
    Command(
        "standing",
        "Standing",
        "What verified reports count against your number, or another one",
        "standing",
        _standing,
        argument="NUMBER",
    ),
    Command("appeal", "Appeal", "Tell the operator, once, why your number's status is wrong", "appeal", _appeal),
    Command("my_number", "My number", "Your number as QR code, address and short code", "me", _invite_screen),
    Command("status", "Network and services", "How the account stands towards them", "status", _status),
    Command("alarms", "Alarms", "Signs that something is wrong with your number, key or chats", "alarms", _alarms),
    Command("devices", "Devices", "The devices of your number: link another, remove one", "devices", _devices),
    Command("trust", "Trust", "Whose certificates count: roots, pins and policy", "trust", _trust),
    Command("doctor", "Doctor", "Look at keys, certificate, clock, services and store", "doctor", _status),
    Command("sync", "Read what is new", "Read and send whatever there is, now", "sync", _sync),
    Command("transfers", "Files on their way", "What is being sent, how far it is; stop it", "transfers", _transfers),
    Command(
        "service_data",
        "Data at the service",
        "Delete what the delivery service keeps for you",
        "deletedata",
        _service_data,
    ),
    Command("settings", "Settings", "Theme, keys, notifications and more", "settings", _settings),
    Command("theme", "Theme", "Other colours", "theme", _theme, "nothing", "NAME"),
    Command("keys_test", "Keys test", "See what this terminal sends for a key", "keys", _keys_test, "nothing"),
    Command("lock", "Lock", "Hide everything until the passphrase is given", "lock", _lock),
    Command(
        "incognito", "Incognito", "Show no names and texts outside a chat; mark nothing read", "incognito", _incognito
    ),
    Command("plain", "Plain mode", "How to use line mode instead", "plain", _plain, "nothing"),
    Command("redraw", "Redraw", "Draw the screen again", "redraw", _redraw, "nothing"),
    Command("help", "Help", "Keys and commands", "help", _help, "nothing"),
    Command("quit", "Quit", "Leave the program; nothing is lost", "quit", _quit, "nothing"),
)
