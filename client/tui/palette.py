"""What the command palette finds: every command that applies now, and every chat by its name."""

from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Matcher, Provider
from textual.content import Content
from textual.widgets import Input

from client.tui.commands import COMMANDS

if TYPE_CHECKING:
    from client.tui.app import RingtrueApp

CHATS_AT_ONCE = 50


class FoundCommands(Provider):
    """Commands by their titles."""

    async def startup(self) -> None:
        """Let the palette's cursor stand still, as every other."""
        for field in self.app.screen.query(Input):
            field.cursor_blink = False

    async def discover(self) -> Hits:
        """All that apply, in the table's order."""
        app = _app(self)
        for command in COMMANDS:
            if command.applies(app):
                yield DiscoveryHit(
                    Content(command.title), partial(app.run_command, command), command.title, command.help
                )

    async def search(self, query: str) -> Hits:
        """Those whose titles or slash forms match."""
        app, matcher = _app(self), self.matcher(query)
        for command in COMMANDS:
            score = max(matcher.match(command.title), matcher.match(f"/{command.slash}"))
            if score > 0 and command.applies(app):
                shown = _lit(matcher, command.title)
                yield Hit(score, shown, partial(app.run_command, command), command.title, command.help)


class FoundChats(Provider):
    """Chats by their names; nothing in incognito, where no names are shown."""

    async def search(self, query: str) -> Hits:
        """The chats whose names match best."""
        app, matcher = _app(self), self.matcher(query)
        if not app.is_open or app.incognito:
            return
        scored = [(matcher.match(chat.chat), chat) for chat in app.main.chat_list.chats]
        best = sorted((pair for pair in scored if pair[0] > 0), key=lambda pair: -pair[0])[:CHATS_AT_ONCE]
        for score, chat in best:
            yield Hit(score, _lit(matcher, chat.chat), partial(app.show_chat, chat), chat.chat, "Open this chat")


def _app(provider: Provider) -> "RingtrueApp":
    return cast("RingtrueApp", provider.app)


def _lit(matcher: Matcher, name: str) -> Content:
    """The name with what matches made bold; Matcher.highlight would read it as markup."""
    content = Content(name)
    score, offsets = matcher.fuzzy_search.match(matcher.query, name)
    if score:
        for offset in offsets:
            content = content.stylize("bold underline", offset, offset + 1)
    return content
