"""The terminal client as a whole: opening, chats arriving, locking, incognito, failing."""

from tests.client.conftest import ALICE, BOB
from tests.client.tui.shell_scene import Scene, text_of, until


async def test_a_message_that_arrives_is_in_the_list_and_opens_with_enter(scene: Scene) -> None:
    await scene.enrolled(ALICE)
    bob = await scene.person(BOB)
    app = scene.app()
    async with app.run_test(size=(116, 32)) as pilot:
        await until(pilot, lambda: app.is_open, "the account is open")
        chat = await app.api.chats.direct(BOB.e164)
        await until(pilot, lambda: app.main.chat_list.chats, "the chat is listed")
        await bob.device.sync()
        for request in await bob.people.requests():
            await bob.people.accept(request.group)
        await bob.messages.send(chat.group, "see you at six")
        await bob.device.sync()
        await app.api.device.sync()
        await until(pilot, lambda: "see you at six" in text_of(app), "the message is in the list")
        print(text_of(app))
        app.main.chat_list.focus()
        await pilot.press("enter")
        await until(pilot, lambda: app.chat is not None, "the chat is open")
        await pilot.pause(0.5)
        print(text_of(app))
        app.save_screenshot("/tmp/shell.svg")
