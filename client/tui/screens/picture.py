"""One picture, fetched because a person asked for it, as large as the window allows."""

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Center, Middle
from textual.widget import Widget

from client.desk.views import MessageView
from client.tui.message_view import size_words
from client.tui.screens.sheet import OpenAccount, Sheet

if TYPE_CHECKING:
    from PIL.Image import Image

    from client.terminal.abilities import Graphics


class Viewing(OpenAccount, Protocol):
    """What showing a picture needs of the app; `graphics`: how the terminal shows pictures by itself."""

    @property
    def graphics(self) -> "Graphics": ...


class PictureScreen(Sheet[None]):
    """Shows what a message offers; it is kept on the disk only if it is saved."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "save", "Save")]
    DEFAULT_CSS: ClassVar[str] = """
    PictureScreen {
        & .frame { max-width: 100%; height: 100%; }
        & Middle { height: 1fr; }
        & Center > * { width: auto; }
    }
    """

    def __init__(self, message: MessageView) -> None:
        super().__init__()
        self._message = message
        self._image: Image | None = None

    def body(self) -> Iterator[Widget]:
        """The place of the picture."""
        with Middle():
            yield Center(id="picture")

    def on_mount(self) -> None:
        """Begin to fetch it."""
        attachment = self._message.attachment
        assert attachment is not None, "only messages with an attachment are opened"
        self.entitle(attachment.filename or "A picture")
        self._fetch(size_words(attachment.size))

    async def on_resize(self) -> None:
        """Draw it for the new size."""
        await self._draw()

    @work(exclusive=True, group="picture")
    async def action_save(self) -> None:
        """Keep it on this device."""
        folder = str(self.account.config.download_folder)
        with self.doing("Saving"):
            path = await self.api.messages.save(self._message.row, folder)
            self.say(f"Saved as {path}")

    @work(exclusive=True, group="picture")
    async def _fetch(self, size: str) -> None:
        if self.account.config.images == "off":
            self.say('The settings say images = "off": press s to save the picture instead.')
            return
        from client.terminal.pictures import decode

        with self.doing(f"Fetching {size}"):
            octets = await self.api.messages.fetch(self._message.row)
            self._image = await asyncio.to_thread(decode, octets)
            await self._draw()

    async def _draw(self) -> None:
        place = self.query_one("#picture", Center)
        space = self.query_one(Middle).size
        if self._image is None or not space:
            return
        from client.tui.images import picture

        native = cast(Viewing, self.app).graphics if self.account.config.images == "auto" else "none"
        await place.remove_children()
        await place.mount(picture(self._image, space.width, space.height, native))
