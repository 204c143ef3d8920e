"""Who is in a chat: each device, what its certificate shows, and what may be done about it."""

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from client.defence.new_keys import KEY_WORDS, with_new_keys
from client.desk.told import ChatChanged
from client.desk.views import ChatView, MemberView
from client.invite import parse_invite
from client.records.service_facts import keeps
from client.terminal.ending_words import RESET_WORDS
from client.tui.heard import Heard
from client.tui.screens.ask import Confirm, Prompt, about_new_key
from client.tui.screens.check_number import CheckNumberScreen
from client.tui.screens.phrases import day, person
from client.tui.screens.request_cards import status
from client.tui.screens.rows import Rows
from client.tui.screens.sheet import Sheet
from client.words.spelling import counted, shown_number

ADMINS_ONLY = "Only an admin of this chat can do this."
NO_ROLES = "This chat began without admins and has none."
IT_IS_YOU = "This is you. To leave, use /leave."
CLOSED = "You are no longer in this chat."
BARRED = ("admin", "remove", "remove_device", "invite", "name", "message", "add_again", "begin_anew")  # what can be


class MembersScreen(Sheet[None]):
    """The devices of a chat. What the roles forbid is dimmed, and pressing it says why."""

    HEADING = "Members"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "admin", "Admin or member"),
        Binding("x", "remove", "Remove"),
        Binding("d", "remove_device", "Remove this device"),
        Binding("s", "meet", "Same person"),
        Binding("i", "invite", "Invite"),
        Binding("n", "name", "Name"),
        Binding("c", "check", "Check number"),
        Binding("m", "message", "Message"),
        Binding("w", "add_again", "Add again"),
        Binding("b", "begin_anew", "Begin anew"),
    ]

    def __init__(self, group: str) -> None:
        super().__init__()
        self._group = group
        self._chat: ChatView | None = None
        self._members: list[MemberView] = []
        self._equal = False

    def body(self) -> Iterator[Widget]:
        yield Static("", id="lead", classes="lead", markup=False)
        yield Rows("devices")
        yield Static("", id="barred", classes="quiet", markup=False)
        yield Static("", id="kept", classes="quiet", markup=False)

    def on_mount(self) -> None:
        """Show who is there."""
        self.query_one(Rows).focus()
        self.load("Looking")

    @on(Heard)
    def _heard(self, heard: Heard) -> None:
        if isinstance(heard.told, ChatChanged) and heard.told.chat.group == self._group:
            self.load()

    @work(exclusive=True, group="load")
    async def load(self, words: str = "") -> None:
        """Ask for the members."""
        with self.doing(words):
            await self._show()

    async def _show(self) -> None:
        self._chat = await self.api.chats.get(self._group)
        self._members = await self.api.chats.members(self._group)
        people = len({member.number for member in self._members})
        ended = sum(member.state == "expired" for member in self._members)
        doubtful = sum(not member.good for member in self._members) - ended
        lead = f"{self._chat.chat}: {counted(people, 'number')}, {counted(len(self._members), 'device')}"
        proposed = sum(bool(member.proposed) for member in self._members)
        unmet = sum(not member.met for member in self._members)
        good = "every certificate is in order" if not doubtful else f"⚠ {counted(doubtful, 'certificate')} not in order"
        good += f"; ~ {counted(ended, 'certificate')} ended" if ended else ""
        good += f"; ⚠ {counted(unmet, 'key')} not met" if unmet else ""
        good += f"; ⊘ {counted(proposed, 'device')} proposed for removal by the service" if proposed else ""
        self._equal = not self._chat.roles
        if self._equal:
            good += "; everybody here may invite and remove"
        self.query_one("#lead", Static).update(Content(f"{lead}; {good}."))
        self.query_one(Rows).show([(str(member.leaf), _row(member, self._equal)) for member in self._members])
        self._say_what_is_barred()
        retention = (await self.api.device.status()).retention
        self.query_one("#kept", Static).update(Content(keeps(retention) if retention else ""))

    @property
    def _chosen(self) -> MemberView | None:
        chosen = self.query_one(Rows).chosen
        return next((member for member in self._members if str(member.leaf) == chosen), None)

    @on(OptionList.OptionHighlighted)
    def _say_what_is_barred(self) -> None:
        reasons = dict.fromkeys(reason for action in ("admin", "remove", "invite") if (reason := self._barred(action)))
        self.query_one("#barred", Static).update(Content(" ".join(reasons)))
        self.refresh_bindings()

    def _barred(self, action: str) -> str:
        """Why something cannot be done to the chosen member; empty if it can."""
        if self._chat is not None and self._chat.standing != "active" and action != "name":
            return CLOSED
        if action == "admin" and self._equal:
            return NO_ROLES
        if action in ("admin", "remove", "remove_device", "invite", "add_again", "begin_anew") and not any(
            each.admin and each.you for each in self._members
        ):
            return ADMINS_ONLY
        if action in ("remove", "name", "message", "add_again") and self._chosen is not None and self._chosen.you:
            return IT_IS_YOU
        return ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Dim what is barred; leave out what concerns several keys of a number where there are none."""
        if action in ("remove_device", "meet") and not (self.is_mounted and self._concerns_keys(action)):
            return False
        if action in BARRED and self.is_mounted and self._barred(action):
            return None
        return True

    @work(exclusive=True)
    async def action_admin(self) -> None:
        """Make a member an admin, or an admin a member."""
        member = self._chosen
        if member is None:
            return
        who = person(member.number, member.name)
        words, yes = f"{who} will be able to invite and remove people.", "Make admin"
        if member.admin:
            words, yes = f"{who} will no longer be able to invite and remove people.", "Make member"
        if await self.app.push_screen_wait(Confirm("Change the role?", words, yes)):
            with self.doing("Changing the role"):
                await self.api.chats.admin(self._group, member.number, not member.admin)
                await self._show()

    @work(exclusive=True)
    async def action_remove(self) -> None:
        """Remove every device of a number."""
        member = self._chosen
        if member is None:
            return
        devices = sum(each.number == member.number for each in self._members)
        words = (
            f"{person(member.number, member.name)}, {counted(devices, 'device')}, can read nothing written from then "
            "on. What was written before stays with them."
        )
        if await self.app.push_screen_wait(Confirm("Remove from this chat?", words, "Remove")):
            with self.doing("Removing", f"{shown_number(member.number)} was removed."):
                await self.api.chats.remove(self._group, member.number)
                await self._show()

    @work(exclusive=True)
    async def action_add_again(self) -> None:
        """Remove every device of a number and add it anew, if its invitation was not delivered."""
        member = self._chosen
        if member is None:
            return
        words = (
            f"{person(member.number, member.name)} is taken out and added anew. What is written in between they cannot "
            "read. Do this if they see nothing of this chat."
        )
        if await self.app.push_screen_wait(Confirm("Add again?", words, "Add again")):
            with self.doing("Adding again", f"{shown_number(member.number)} was added again."):
                await self.api.chats.add_again(self._group, member.number)
                await self._show()

    def _concerns_keys(self, action: str) -> bool:
        chosen = self._chosen
        if chosen is None:
            return False
        return not chosen.named if action == "meet" else sum(e.number == chosen.number for e in self._members) > 1

    @work(exclusive=True)
    async def action_remove_device(self) -> None:
        """Remove one device of a number: the old one, say, after its holder has changed."""
        member = self._chosen
        if member is None:
            return
        seen = "" if member.first_seen is None else f", first seen {day(member.first_seen)}"
        words = (
            f"The device of {person(member.number, member.name)} with the key {member.key[:8]}{seen}, can read nothing "
            "written from then on. Other devices of the number stay."
        )
        if await self.app.push_screen_wait(Confirm("Remove this device?", words, "Remove")):
            with self.doing("Removing", "The device was removed."):
                await self.api.chats.remove_device(self._group, member.number, member.key)
                await self._show()

    @work(exclusive=True)
    async def action_meet(self) -> None:
        """Say that the person behind a key is the one that was known."""
        member = self._chosen
        if member is None:
            return
        words = (
            f"The key {member.key[:8]} of {shown_number(member.number)} is the same person's as before: you have "
            "compared the check number with them, or asked by another way."
        )
        if await self.app.push_screen_wait(Confirm("The same person?", words, "It is")):
            with self.doing("Noting", "The number's name goes with this key now."):
                await self.api.people.meet(member.number, member.key)
                await self._show()

    @work(exclusive=True)
    async def action_invite(self) -> None:
        """Add a person by number or code."""
        label = "Number (with + and country code), ringtrue: address or short code:"
        typed = await self.app.push_screen_wait(Prompt("Invite", label))
        if typed:
            with self.doing("Inviting", "Invited. They see the chat once they accept."):
                number = parse_invite(typed)
                invite = self.api.chats.invite
                await with_new_keys(
                    lambda new_keys: invite(self._group, [number.e164], new_keys), partial(about_new_key, self)
                )
                await self._show()

    @work(exclusive=True)
    async def action_name(self) -> None:
        """Call a number by a name that only this account sees."""
        member = self._chosen
        if member is None:
            return
        label = f"Your own name for {shown_number(member.number)}; nobody else sees it:"
        name = await self.app.push_screen_wait(Prompt("Name", label, member.name or ""))
        if name is not None:
            with self.doing("Naming"):
                await self.api.people.name(member.number, name)
                await self._show()

    def action_check(self) -> None:
        """Compare the group's check number."""
        self.app.push_screen(CheckNumberScreen(self._group))

    @work(exclusive=True)
    async def action_message(self) -> None:
        """Write to one member alone."""
        member = self._chosen
        if member is not None:
            with self.doing("Opening the chat"):
                direct = self.api.chats.direct
                self.go_to(
                    await with_new_keys(lambda new_keys: direct(member.number, new_keys), partial(about_new_key, self))
                )

    @work(exclusive=True)
    async def action_begin_anew(self) -> None:
        """Put a new chat in this one's place, for everybody who is in it."""
        title = f"Begin {self._chat.chat if self._chat else 'this chat'} anew for everybody?"
        if await self.app.push_screen_wait(Confirm(title, RESET_WORDS, "Begin anew")):
            with self.doing("Beginning the chat anew"):
                self.go_to(await self.api.chats.reset(self._group))


STATE_STYLES = {
    "valid": "$text-success",
    "expired": "$text-warning",
    "revoked": "bold $text-error",
    "invalid": "bold $text-error",
}


def _row(member: MemberView, equal: bool) -> Content:
    you = f"you, on another device {member.key[:8]}" if member.other_device else "you"
    roles = [role for role, held in ((you, member.you), ("admin", member.admin and not equal)) if held]
    style = STATE_STYLES[member.state]
    return Content.assemble(
        (person(member.number, None if member.you else member.name), "bold"),
        f"  {', '.join(roles)}",
        (status(member.status), "bold $text-warning"),
        "\n  ",
        (member.proof, style),
        ("" if member.met else f"  {KEY_WORDS['new']}, key {member.key[:8]}", "bold $text-warning"),
        f"\n  certificate until {day(member.certificate_ends)}, {member.fingerprint[:16]}; leaf {member.leaf}",
        (f"\n  ⊘ {member.proposed}" if member.proposed else "", "bold $text-warning"),
        f"\n  {member.log}" if member.awaited or member.log.startswith("✗") else "",
    )
