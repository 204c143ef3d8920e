"""What becomes of chats, files and an account at the service: what is said of it on the screen, and who can do what."""

import pytest

from client.desk.desk import Desk
from client.desk.views import ChatView
from client.errors import ClientError, RevokedHereError, UnreachableError
from client.events import Trouble
from client.records.chats import Standing
from client.session import Session
from client.tui.screens.alarms import AlarmsScreen
from client.tui.screens.members import MembersScreen
from client.tui.screens.service_data import ServiceDataScreen
from client.tui.screens.status import StatusScreen
from client.tui.screens.transfers import TransfersScreen
from client.tui.status_line import StatusLine
from delivery_service.policy import Policy
from identity.groups.eviction import Reason
from tests.client.conftest import ALICE, AUTHORITY, BOB
from tests.client.test_revocations import LISTED, revoked
from tests.client.tui.screens.sheet_scene import Seat, seated
from tests.client.tui.shell_scene import Scene, text_of, until

FRAMES = str.maketrans(dict.fromkeys("│╭╮╰╯─▌█▔▁▊▎", " "))


def screen(seat: Seat) -> str:
    """The conversation of the main screen as one line, then what is told in its corner."""
    rows = [row.partition("│")[2] or row for row in text_of(seat.app).splitlines()]
    told = [each.message for each in seat.app._notifications]
    return " ".join(" ".join([*rows, *told]).translate(FRAMES).split())


async def shows(seat: Seat, words: str) -> None:
    await seat.until(lambda: words in screen(seat), words)


async def theirs(seat: Seat) -> tuple[Desk, ChatView]:
    """A group of Bob's, whose only admin he is, in view at Alice's."""
    bob, _ = await seat.ravi()
    chat = await bob.chats.create("Flood watch", [ALICE.e164])
    await bob.device.sync()
    await seat.api.device.sync()
    view = await seat.api.chats.get(chat.group)
    await seat.app.open_chat(view)
    return bob, view


def session_of(seat: Seat) -> Session:
    """What lies below the screens, to let happen there what no service of this world does by itself."""
    session: Session = seat.app.api._api.session  # type: ignore[attr-defined]
    return session


async def proposes(seat: Seat, chat: ChatView, reason: Reason) -> None:
    """The service proposes to remove Bob, whether the reason holds or not, and Alice reads it."""
    service = seat.scene.world.network.services["delivery.test"].app.state.service
    group = bytes.fromhex(chat.group)
    leaf = next(each.leaf for each in await seat.api.chats.members(chat.group) if each.number == BOB.e164)
    async with service.observers.lock(group):
        await service.evictions.propose(group, leaf, reason, service.now())
    await seat.api.device.sync()


async def slash(seat: Seat, line: str) -> None:
    seat.app.main.conversation.focus_composer()
    seat.app.main.conversation.composer.begin(line)
    await seat.press("enter")


async def test_a_chat_that_is_begun_anew_takes_along_who_is_reading_and_what_they_write(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        bob, old = await theirs(alice)
        alice.app.main.conversation.composer.begin("the gauge at the br")
        new = await bob.chats.reset(old.group)
        await bob.device.sync()
        await alice.api.device.sync()
        await alice.until(lambda: alice.app.chat is not None and alice.app.chat.group == new.group, "the new chat")
        await shows(alice, "The chat that you were in was begun anew. It goes on here")
        assert alice.app.main.conversation.composer.text == "the gauge at the br"
        await alice.app.open_chat(await alice.api.chats.get(old.group))
        await shows(alice, "⊘ This chat goes on in a new one. To go there: /successor")
        alice.app.main.conversation.focus_composer()
        await alice.press("enter")
        await alice.until(lambda: alice.app.chat is not None and alice.app.chat.group == new.group, "Enter leads on")


async def test_who_may_not_begin_a_chat_anew_is_told_who_may(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        _, chat = await theirs(alice)
        await slash(alice, "/reset")
        await shows(alice, "Only an admin begins this chat anew. Ask an admin: +1 202-555-0143.")
        await slash(alice, "/deletechat")
        await shows(alice, "Only an admin deletes this chat.")
        assert (await alice.api.chats.get(chat.group)).standing == "active"


async def test_a_lost_chat_says_who_can_help_and_offers_commands_all_the_same(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        _, chat = await theirs(alice)
        session = session_of(alice)
        group = bytes.fromhex(chat.group)
        await session.worker.run(session.steps.receiver.lose, group, "the service kept too little of it", session.now())
        await alice.app.open_chat(await alice.api.chats.get(chat.group))
        assert alice.app.chat is not None
        assert alice.app.chat.standing == Standing.LOST
        await shows(
            alice, "⊘ This device can no longer read this chat. It cannot begin it anew either. An admin of it can"
        )
        await shows(alice, "or for everybody by /reset")
        alice.app.main.conversation.focus_composer()
        await alice.press("slash")
        await alice.until(lambda: alice.app.screen.query("CommandInput"), "commands are found")


async def test_a_deleted_chat_says_so_to_who_deleted_it_and_to_the_others(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        bob, chat = await alice.ravi()
        await alice.app.open_chat(chat)
        await slash(alice, "/deletechat")
        await shows(alice, "nobody can write to it any more; that cannot be taken back")
        await alice.press("right", "enter")
        await shows(alice, "⊘ This chat was deleted at the service. What is on this device stays.")
        await bob.device.sync()
        (ended,) = [each for each in await bob.chats.all() if each.group == chat.group]
        assert (ended.standing, ended.ended, ended.successor) == ("ended", "deleted", "")


async def test_a_removal_that_the_service_proposes_stands_with_its_reason_beside_the_member(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        _, chat = await alice.ravi()
        await proposes(alice, chat, Reason.REVOKED)
        await alice.show(MembersScreen(chat.group))
        await alice.sees("⊘ The delivery service proposes to remove it: its certificate was revoked.")
        await alice.sees("⊘ 1 device proposed for removal by the service")
        await alice.sees("The delivery service keeps messages for 30 days.")


async def test_a_removal_for_a_reason_that_does_not_hold_is_an_alarm_that_says_which(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        _, chat = await alice.ravi()
        await proposes(alice, chat, Reason.LAPSED)
        line = alice.app.main.query_one(StatusLine)
        await alice.until(lambda: "✗ 1 ALARM: /alarms" in line.render().plain, "the alarm in the status line")
        await shows(alice, "The delivery service wants somebody removed from a chat for a reason that does not hold.")
        await shows(alice, "See what was seen, and what to do: /alarms")
        await alice.show(AlarmsScreen())
        await alice.sees(
            "its certificate ended more than 38 days ago. That is not so. This program does not carry it out."
        )
        await alice.sees("What to do: Nothing is to be done to keep that device in the chat.")
        await alice.show(MembersScreen(chat.group))
        await alice.sees("That is not so; this program does not carry it out.")


async def test_a_file_that_a_closed_client_left_is_shown_by_the_next_one_and_goes_out(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        _, chat = await alice.ravi()
        file = scene.folder.parent / "map.bin"
        file.write_bytes(bytes(4000))
        scene.world.network.down.add("delivery.test")
        with pytest.raises(UnreachableError):
            await alice.api.messages.send_file(chat.group, str(file))
    app = scene.app()
    async with app.run_test(size=(116, 30)) as pilot:
        await until(pilot, lambda: app.is_open, "the account is open")
        line = app.main.query_one(StatusLine)
        await until(pilot, lambda: "1 file on the way: /transfers" in line.render().plain, "the file that was left")
        scene.world.network.down.clear()
        app.push_screen(TransfersScreen())
        await until(pilot, lambda: "waits for the service" in text_of(app), "how far it is")
        await pilot.press("r")
        await until(pilot, lambda: "No file is on its way" in text_of(app), "it is sent")
        assert (await app.api.messages.page(chat.group))[-1].attachment is not None


async def test_a_file_that_waits_is_shown_and_can_be_stopped(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        _, chat = await alice.ravi()
        file = scene.folder.parent / "map.bin"
        file.write_bytes(bytes(4000))
        scene.world.network.down.add("delivery.test")
        await alice.app.open_chat(chat)
        alice.app.main.conversation.attach(str(file))
        line = alice.app.main.query_one(StatusLine)
        await alice.until(lambda: "1 file on the way: /transfers" in line.render().plain, "the file in the status line")
        await alice.show(TransfersScreen())
        await alice.sees("map.bin for Climbing group")
        await alice.sees("octets: waits for the service")
        await alice.press("c")
        await alice.sees("Nobody gets map.bin.")
        await alice.press("right", "enter")
        await alice.sees("No file is on its way.")
        assert await alice.api.messages.transfers() == []


@pytest.mark.parametrize("service_policy", [Policy(revocations=(f"{AUTHORITY}/v1/crl",))])
async def test_a_revoked_certificate_stands_in_the_status_line_with_what_to_do_behind_f5(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        revoked(scene.world, session_of(alice))
        service = scene.world.network.services["delivery.test"].app.state.service
        await service.lists.refresh(service.now())
        await service.purge.run(service.now())
        with pytest.raises(RevokedHereError):
            await alice.api.device.sync()
        line = alice.app.main.query_one(StatusLine)
        await alice.until(lambda: "✗ YOUR CERTIFICATE WAS REVOKED: F5" in line.render().plain, "the status line")
        await alice.show(StatusScreen())
        await alice.sees("✗ The certificate of this device was revoked: what it sends counts for nobody.")
        await alice.sees("begin anew in a new folder, where you get a new key")


@pytest.mark.parametrize("service_policy", [Policy(revocations=(f"{AUTHORITY}/v1/crl",))])
async def test_that_ones_own_certificate_was_revoked_is_told_once_whoever_says_it(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        _, chat = await alice.ravi()
        revoked(scene.world, session_of(alice))
        scene.world.clock.now += LISTED
        await alice.api.device.sync()
        await shows(alice, "The certificate of this device was revoked")  # the authority's list says so
        service = scene.world.network.services["delivery.test"].app.state.service
        await service.lists.refresh(service.now())
        await service.purge.run(service.now())
        await alice.api.messages.send(chat.group, "is anybody there?")
        desk: Desk = alice.app.api._api  # type: ignore[attr-defined]
        await desk.settle()  # the service has refused it, and said the same
        later = ClientError("something else")
        desk._works.tell_event(Trouble(None, later, later.code, str(later)))
        await shows(alice, "Something else")
        assert len([each for each in alice.app._notifications if "revoked" in each.message]) == 1


async def test_data_at_the_service_is_deleted_after_it_is_said_which(scene: Scene) -> None:
    async with seated(scene, (116, 30)) as alice:
        await alice.show(ServiceDataScreen())
        await alice.sees("Nobody can add it to a chat until it is next used")
        await alice.press("d")
        await alice.sees("Delete what is kept for it?")
        await alice.press("right", "enter")
        await alice.sees("What remains there:")
        await alice.sees("publishes key packages again when it is next used")
