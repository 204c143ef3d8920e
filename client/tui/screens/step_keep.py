"""The first run's last step before the chats: what protects the account on this computer."""

from collections.abc import Awaitable, Callable

from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from client.errors import WrongPassphraseError
from client.failures import Expected
from client.passphrase import acceptable, strength
from client.storage.home import Home
from client.storage.keys import keyring_available
from client.tui.screens.step import Step

WITH_KEYRING = "This system's keyring can hold the key: nothing to type when you start. Or choose a passphrase."
WITHOUT_KEYRING = (
    "Your key, your chats and your history are encrypted under a passphrase. It never leaves this computer."
)


class KeepStep(Step):
    """Asks for a passphrase, or uses the system's keyring; then the account is stored."""

    def __init__(self) -> None:
        super().__init__(id="keep-step")
        self._home: Home | None = None
        self._store: Callable[[str | None], Awaitable[None]] | None = None
        self.passphrase: str | None = None

    def compose(self) -> ComposeResult:
        """The keyring where there is one, and a passphrase, typed twice."""
        keyring = keyring_available()
        yield Static(WITH_KEYRING if keyring else WITHOUT_KEYRING, markup=False)
        if keyring:
            yield Button("Use the keyring", id="keyring", variant="primary", compact=True)
        yield Label("Passphrase", classes="gap", markup=False)
        yield Input(password=True, id="passphrase")
        yield Static(strength(""), id="strength", classes="quiet", markup=False)
        yield Label("The same again", classes="gap", markup=False)
        yield Input(password=True, id="again")
        yield Button("Use this passphrase", id="go", variant="default" if keyring else "primary", compact=True)
        yield Static("", classes="going-on", markup=False)

    def begin(self, home: Home, store: Callable[[str | None], Awaitable[None]]) -> None:
        """Have the account stored in `home` by `store`, which is given the passphrase, None for the keyring."""
        self._home, self._store = home, store
        self.say("")

    @on(Input.Changed, "#passphrase")
    def judge(self, event: Input.Changed) -> None:
        """Say how hard it is to guess."""
        self.query_one("#strength", Static).update(Content(strength(event.value)))

    @on(Input.Submitted, "#passphrase")
    def to_again(self) -> None:
        """Go on to the second field."""
        self.query_one("#again", Input).focus()

    @on(Input.Submitted, "#again")
    @on(Button.Pressed, "#go")
    def go(self) -> None:
        """Store the account under what was typed twice."""
        first, second = (self.query_one(f"#{name}", Input) for name in ("passphrase", "again"))
        if not acceptable(first.value):
            self.refuse("Type a passphrase: without one, anybody with this disk could read your chats.")
            first.focus()
        elif first.value != second.value:
            self.refuse("The two are not the same. Type the second one again.")
            second.value = ""
            second.focus()
        else:
            self.keep(first.value)

    @on(Button.Pressed, "#keyring")
    def use_keyring(self) -> None:
        """Store the account, and its key in the keyring."""
        self.keep(None)

    def keep(self, passphrase: str | None) -> None:
        """Store the account, once at a time."""
        if not self.busy:
            self._keep(passphrase)

    @work(group="keep")
    async def _keep(self, passphrase: str | None) -> None:
        assert self._store is not None, "something is to be kept"
        with self.doing("Encrypting your account"):
            await self._store(passphrase)
            self.passphrase = passphrase
            self.post_message(self.Done())

    def failed(self, error: Expected) -> None:
        """Say what to do about a store that an earlier attempt began."""
        if isinstance(error, WrongPassphraseError) and self._home is not None:
            home = self._home
            self.refuse(
                "An earlier attempt began a store under another passphrase. Type that one, or move "
                f"{home.key_file.name} and {home.database.name} out of {home.folder}."
            )
        else:
            super().failed(error)
