"""Chats that move, are lost or deleted, in line mode: what is read out, and who can do what."""

from lab.world import World
from tests.client.plain.plain_scene import ALICE, BOB, Person, people


async def group(alice: Person, bob: Person) -> str:
    """A group of Alice's, in which Bob is at home."""
    await bob.desk.people.know(ALICE.e164)
    chat = await alice.desk.chats.create("Flood watch", [BOB.e164])
    await bob.desk.device.sync()
    return chat.group


async def test_who_has_a_chat_open_goes_along_when_it_is_begun_anew() -> None:
    async with World() as world, people(world, ALICE, BOB) as (alice, bob):
        old = await group(alice, bob)
        async with bob.sitting() as keyboard:
            keyboard.type("chats Flood watch")
            await keyboard.hears("Chat “Flood watch”")
            new = await alice.desk.chats.reset(old)
            await bob.desk.device.sync()
            keyboard.type("")
            await keyboard.hears(
                "This chat was begun anew. What you write next goes into the new one, which is open now."
            )
            keyboard.type("still here")
            await keyboard.hears("still here")
        assert "still here" in [row.text for row in await bob.desk.messages.page(new.group)]
        heard = await bob.visit("chats Flood watch (before)", "/successor")
        assert "This chat goes on in a new one. To go there: /successor" in heard
        assert any(line.startswith("Chat “Flood watch”") for line in heard)


async def test_a_lost_chat_and_one_of_others_say_who_can_begin_them_anew() -> None:
    async with World() as world, people(world, ALICE, BOB) as (alice, bob):
        chat = await group(alice, bob)
        heard = await bob.visit("chats Flood watch", "/reset", "/deletechat")
        assert f"Only an admin begins this chat anew. Ask an admin: {ALICE}." in heard
        assert f"Only an admin deletes this chat. Ask an admin: {ALICE}." in heard
        session = bob.desk.session
        await session.worker.run(session.steps.receiver.lose, bytes.fromhex(chat), "too little is kept", session.now())
        heard = await bob.visit("chats Flood watch", "/reset")
        words = "An admin of it can: by adding this device again, or for everybody by /reset."
        assert len([line for line in heard if words in line]) == 2, "when it is opened, and when it is asked for"


async def test_members_are_followed_by_how_long_the_service_keeps_messages() -> None:
    async with World() as world, people(world, ALICE, BOB) as (alice, bob):
        await group(alice, bob)
        heard = await alice.visit("chats Flood watch", "/members")
        assert any(line.startswith("The delivery service keeps messages for 30 days.") for line in heard)
