"""A conversation pane in an app of its own, over real accounts of a world in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from textual.app import App, ComposeResult
from textual.filter import LineFilter
from textual.pilot import Pilot

from client.config import Config
from client.desk.desk import Desk, open_desk
from client.desk.views import ChatView
from client.terminal.abilities import Graphics
from client.tui.composer import SlashCommand
from client.tui.conversation import ConversationPane
from client.tui.line_filter import LAST_LINE
from client.tui.message_row import MessageRow
from identity.number import TelephoneNumber
from tests.client.conftest import PASSPHRASE, World

PATIENCE = 20.0  # seconds until a test gives up on what should happen


class PaneApp(App[None]):
    """Nothing but the pane; what is told goes to it, and slash commands are noted."""

    def __init__(self, api: Desk, clock: Callable[[], float], config: Config | None = None) -> None:
        super().__init__()
        self.api = api
        self._clock = clock
        self.config = config or Config()
        self.commands: list[str] = []
        self.graphics: Graphics = "none"

    def compose(self) -> ComposeResult:
        yield ConversationPane()

    def on_mount(self) -> None:
        self.run_worker(self._listen())

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), LAST_LINE]

    def on_slash_command(self, event: SlashCommand) -> None:
        self.commands.append(event.text)

    async def _shutdown(self) -> None:
        self.workers.cancel_all()  # as RingtrueApp does
        await super()._shutdown()

    async def _listen(self) -> None:
        async with aclosing(self.api.events()) as events:
            async for told in events:
                await self.pane.hear(told)

    @property
    def pane(self) -> ConversationPane:
        return self.screen_stack[0].query_one(ConversationPane)


@dataclass
class Talk:
    """Two people with a chat in common: `app` is what the first one sees of it, `friend` the other one's account."""

    app: PaneApp
    pilot: Pilot[None]
    me: Desk
    friend: Desk
    chat: ChatView

    @property
    def pane(self) -> ConversationPane:
        return self.app.pane

    @property
    def rows(self) -> list[MessageRow]:
        return self.pane.messages.rows

    @property
    def drawn(self) -> str:
        """Everything that stands in the message rows."""
        return "\n".join(row.render().plain for row in self.rows)

    @property
    def screen_text(self) -> str:
        """Everything that is on the screen."""
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    async def until(self, holds: Callable[[], bool], what: str = "") -> None:
        """Wait until something holds; fails with what is on the screen then."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds():
                    await self.pilot.pause()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{what} never came about; on the screen:\n{self.screen_text}") from None

    async def sees(self, words: str) -> None:
        """Wait until these words stand in the message rows."""
        await self.until(lambda: words in self.drawn, f"{words!r} in the messages")

    async def shows(self, words: str) -> None:
        """Wait until these words stand anywhere on the screen."""
        await self.until(lambda: words in self.screen_text, f"{words!r} on the screen")

    async def friend_says(self, text: str) -> None:
        """Let the friend write, and this account read it."""
        await self.friend.messages.send(self.chat.group, text)
        await self.friend.device.sync()
        await self.me.device.sync()

    async def write(self, text: str) -> None:
        """Type into the composer, and send."""
        self.pane.composer.begin(text)
        await self.pilot.press("enter")


async def opened(stack: AsyncExitStack, world: World, number: TelephoneNumber) -> Desk:
    """An enrolled person's open account, which reads only when it is told to."""
    await world.enrol(number)
    desk = await stack.enter_async_context(
        open_desk(world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False)
    )
    await desk.device.sync()
    return desk


@asynccontextmanager
async def talking(
    world: World,
    me: TelephoneNumber,
    friend: TelephoneNumber,
    *,
    size: tuple[int, int] = (90, 30),
    config: Config | None = None,
) -> AsyncIterator[Talk]:
    """`me` looks at a chat with `friend`, whom they know by a name."""
    async with AsyncExitStack() as stack:
        mine, theirs = await opened(stack, world, me), await opened(stack, world, friend)
        await mine.people.know(friend.e164)
        await mine.people.name(friend.e164, "Ravi")
        await theirs.people.know(me.e164)
        chat = await mine.chats.direct(friend.e164)
        await mine.device.sync()
        await theirs.device.sync()
        app = PaneApp(mine, world.clock, config)
        pilot = await stack.enter_async_context(app.run_test(size=size))
        await app.pane.show(chat)
        app.pane.focus_composer()
        await pilot.pause()
        yield Talk(app, pilot, mine, theirs, chat)
