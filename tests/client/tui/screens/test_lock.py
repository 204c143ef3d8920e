"""The lock: goes away for the passphrase only, and shows nothing of what lies behind it."""

import pytest

from client.errors import AccountError
from client.tui.screens.lock import LockScreen
from tests.client.conftest import PASSPHRASE
from tests.client.tui.screens.sheet_scene import seated
from tests.client.tui.shell_scene import Scene, text_of


async def test_only_the_passphrase_opens_it_and_nothing_shows_through(scene: Scene) -> None:
    async with seated(scene) as alice:
        await alice.ravi("Climbing group")
        await alice.until(lambda: "Climbing" in text_of(alice.app), "the chat in the list")
        alice.app.lock()
        await alice.until(lambda: "Ringtrue is locked" in text_of(alice.app), "the lock")
        for secret in ("Climbing", "Ravi", "202-555", "waiting", "Requests", "online"):
            assert secret not in text_of(alice.app)
        await alice.press("escape", "f1", "f3", "ctrl+n", "ctrl+p")
        assert isinstance(alice.app.screen, LockScreen)
        await alice.type("wrong")
        await alice.press("enter")
        await alice.until(lambda: "That is not the passphrase. Try again." in text_of(alice.app), "the refusal")
        assert "•" not in text_of(alice.app), "the field is empty again"
        await alice.press("enter")
        await alice.until(lambda: "That is not the passphrase." in text_of(alice.app), "an empty one is refused")
        await alice.type(PASSPHRASE)
        assert PASSPHRASE not in text_of(alice.app)
        await alice.press("enter")
        await alice.until(lambda: "Climbing" in text_of(alice.app), "the chat again")


@pytest.mark.parametrize("answer", [True, False])
async def test_with_a_keyring_nothing_is_typed(scene: Scene, answer: bool) -> None:
    asked = []

    async def verify(passphrase: str) -> bool:
        asked.append(passphrase)
        if not answer:
            raise AccountError("the system's keyring, which holds the account's key, cannot be opened now")
        return True

    async with seated(scene) as alice:
        lock = LockScreen(verify, asks=False)
        alice.app.push_screen(lock)
        await alice.until(lambda: "This system's keyring opens it." in text_of(alice.app), "the lock")
        await alice.press("enter")
        await alice.until(lambda: asked == [""], "the question")
        if answer:
            await alice.until(lambda: alice.app.screen is not lock, "the lock is gone")
        else:
            await alice.until(lambda: "cannot be opened now" in text_of(alice.app), "what went wrong")
            assert alice.app.screen is lock
