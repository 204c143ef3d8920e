"""What a client has to show: a reference model, built from what its peer read in the log and what its own calls said.

It shares nothing with the client but the words for a name, a file and a timer. `Calls` compares the log with the calls,
each of which must be there once if it returned and at most once if a kill interrupted it; `Chat` replays the log.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from client.events import MembersChanged
from client.records.message import Kind, Message

TIMERS = {"(messages stay)": 0, "(messages disappear 10 minutes after they were read)": 600}
SLACK = 2  # seconds between the clocks' whole seconds and the moment of a step
VICTIM, PEER = "+12025550142", "+12025550143"

Key = tuple[str, ...]
Row = dict[str, Any]


@dataclass(slots=True)
class Said:
    """One message of the log, as everybody has to see it; it disappears `lives` seconds after it was read, if ever."""

    own: bool
    text: str
    reply: str
    since: float
    lives: int
    file: str = ""
    edited: bool = False
    withdrawn: bool = False
    ends: float | None = None  # as the client said when it was first seen to end

    @property
    def words(self) -> str:
        return "" if self.withdrawn else self.text


@dataclass(slots=True)
class Chat:
    """One chat: the log's messages replayed, and this device's own marks."""

    group: str
    calls: "Calls"
    said: dict[str, Said] = field(default_factory=dict)
    reactions: dict[str, tuple[str, str]] = field(default_factory=dict)  # the victim's: target and emoji
    peers: set[tuple[str, str]] = field(default_factory=set)  # the peer's reactions: target and emoji
    titles: list[str] = field(default_factory=list)
    timer: int = 0
    log: Counter[Key] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)

    def heard(self, message: Message) -> None:
        """Replay what the peer read of the victim."""
        name = message.message_id
        match message.kind:
            case Kind.RECEIVED:
                self._say(name, message)
            case Kind.EDIT:
                text = message.text.removeprefix("(edited) ")
                self.log["edit", message.replaces, text] += 1
                self.said[message.replaces].text = text
                self.said[message.replaces].edited = True
            case Kind.DELETION if message.replaces in self.reactions:
                self.log["react", *self.reactions.pop(message.replaces)] += 1
            case Kind.DELETION:
                self.log["delete", message.replaces] += 1
                self.said[message.replaces].withdrawn = True
            case Kind.REACTION:
                self.log["react", message.in_reply_to, message.text] += 1
                self.reactions[name] = message.in_reply_to, message.text
            case Kind.TITLED:
                (title,) = re.findall("“(.*)”", message.text)
                self.titles.append(title)
            case Kind.TIMED:
                self.timer = TIMERS[message.text]
                self.log["timer", str(self.timer)] += 1

    def _say(self, name: str, message: Message) -> None:
        assert name not in self.said, "the log has it twice"
        text, file = message.text, ""
        if message.attached:
            first, text = message.text.split("\n", 1)
            file = first.removeprefix("(file) ")
        key = ("file", text, file) if file else ("send", text, message.in_reply_to)
        self.log[key] += 1
        self.order.append(text)
        assert message.at_ms is not None
        self.said[name] = Said(True, text, message.in_reply_to, message.at_ms / 1000, self.timer, file)

    def changed(self, event: MembersChanged) -> None:
        """Replay a commit of the victim's."""
        if event.added:
            self.log["invite",] += 1
        if event.removed:
            self.log["remove",] += 1

    def toggle(self, target: str, emoji: str) -> None:
        """The peer has reacted, or taken that back."""
        self.peers ^= {(target, emoji)}

    def agrees(self, shown: Row, opened: float, now: float) -> None:
        """Compare with what the client shows: each row and each mark."""
        rows: list[Row] = shown["rows"]
        self._has_every_message(rows, opened, now)
        by_row = {row["row"]: row["id"] for row in rows}
        for row in rows:
            if row["kind"] in ("sent", "received"):
                self._shows(row, by_row)
        self._is_in_order(rows)
        view = shown["view"]
        assert [row["text"] for row in rows if row["kind"] == "gap"] == []
        named = [row["text"] for row in rows if row["kind"] == "titled" and row["from"] == VICTIM]
        assert named == [f"(named this chat “{title}”)" for title in self.titles]
        assert [row["kind"] for row in rows].count("timed") == sum(v for k, v in self.log.items() if k[0] == "timer")
        assert self.titles[-1:] in ([], [view["chat"]])
        assert self.calls.named <= set(self.titles) <= self.calls.names
        assert (view["timer"], view["waiting"], view["failed"]) == (self.timer, 0, 0)
        self.calls.settle("draft", view["draft"])
        self.calls.settle("pin", view["pinned"])
        self.calls.settle("mute", view["muted_until"] is not None)
        self.calls.settle("rename", view["chat"])
        self.calls.agree(self.log)
        self._unread(rows, view["unread"], shown["first_unread"])

    def _has_every_message(self, rows: list[Row], opened: float, now: float) -> None:
        """Each once; only what has disappeared is missing, and what is to have disappeared is."""
        names = Counter(row["id"] for row in rows if row["kind"] in ("sent", "received"))
        assert set(names.values()) <= {1}
        assert names.keys() <= self.said.keys()
        for name, said in self.said.items():
            if name in names:
                assert said.ends is None or said.ends > opened - SLACK, f"{said} was to disappear"
            else:
                assert said.lives, f"{said} is missing"
                assert now >= (said.ends or said.since + said.lives) - SLACK, f"{said} disappeared too early"
        for row in rows:
            said = self.said.get(row["id"])
            if said is not None and row["expires"] is not None and said.ends is None:
                said.ends = datetime.fromisoformat(row["expires"]).timestamp()
                assert said.lives
                assert said.since + said.lives - SLACK <= said.ends <= now + said.lives + SLACK

    def _shows(self, row: Row, by_row: dict[int, str]) -> None:
        said = self.said[row["id"]]
        assert row["kind"] == ("sent" if said.own else "received")
        assert row["text"] == said.words, (row, said)
        assert (row["text"], row["edited"], row["withdrawn"]) == (
            said.words,
            said.edited and not said.withdrawn,
            said.withdrawn,
        )
        assert row["state"] == ("delivered" if said.own else None)
        assert (row["place"], row["reason"], row["hidden"]) == ("inbox", None, 0)
        if not said.own and not said.withdrawn:  # with what was taken back goes its proof
            assert row["proof"]["verdict"] in ("verified", "delayed")
        attachment = row["attachment"]
        assert (attachment["filename"] if attachment else "") == ("" if said.withdrawn else said.file)
        assert {(each["emoji"], number) for each in row["reactions"] for number in each["numbers"]} == self._given(row)
        self._quotes(row, said, by_row)

    def _given(self, row: Row) -> set[tuple[str, str]]:
        given = {(emoji, VICTIM) for target, emoji in self.reactions.values() if target == row["id"]}
        return given | {(emoji, PEER) for target, emoji in self.peers if target == row["id"]}

    def _quotes(self, row: Row, said: Said, by_row: dict[int, str]) -> None:
        quote = row["reply"]
        assert (quote is not None) == bool(said.reply)
        if quote is None or quote["row"] is None:
            assert quote is None or said.reply not in by_row.values()
            return
        answered = self.said[said.reply]
        assert by_row[quote["row"]] == said.reply
        assert answered.file or quote["text"] == answered.words

    def _is_in_order(self, rows: list[Row]) -> None:
        """What others sent in the log's order, and one's own in the order of the calls."""
        received = [row["seq"] for row in rows if row["kind"] == "received"]
        assert received == sorted(set(received))
        assert self.order == sorted(self.order)
        mine = [row["id"] for row in rows if row["kind"] == "sent"]
        assert mine == [name for name in self.said if name in set(mine)]

    def _unread(self, rows: list[Row], unread: int, first: int | None) -> None:
        """Nobody has seen less than what was read, and all of that begins to end."""
        received = [row for row in rows if row["kind"] == "received"]

        def fits(seen: int) -> bool:
            later = [row for row in received if row["row"] > seen]
            ending = all((row["expires"] is not None) == (row["row"] <= seen) for row in received if self._ends(row))
            begun = min((row["row"] for row in later), default=None)
            return ending and (unread, first) == (sum(not row["withdrawn"] for row in later), begun)

        self.calls.seen = {seen for seen in self.calls.seen if fits(seen)}
        assert self.calls.seen, "what was read is unread again"

    def _ends(self, row: Row) -> bool:
        return self.said[row["id"]].lives > 0


class Calls:
    """What the victim's calls were to do: `done` those that returned, `begun` those that a kill may have cut off."""

    def __init__(self, name: str) -> None:
        self.done: Counter[Key] = Counter()
        self.begun: Counter[Key] = Counter()
        self.marks: dict[str, list[object]] = {"draft": [""], "pin": [False], "mute": [False], "rename": [name]}
        self.names: set[str] = set()
        self.named: set[str] = set()
        self.seen: set[int] = {0}

    def note(self, note: Row) -> None:
        """A line of the journal."""
        ended = note["kind"] == "end"
        match note["call"]:
            case "draft" | "pin" | "mute" | "rename" as mark:
                self.marks[mark] = [note["value"]] if ended else [*self.marks[mark], note["value"]]
                if mark == "rename":
                    (self.named if ended else self.names).add(note["value"])
            case "read":
                further = {max(seen, note["value"]) for seen in self.seen}
                self.seen = further if ended else self.seen | further
            case call:
                key = (call, *key_of(note))
                self.begun[key] += -1 if ended else 1
                self.done[key] += ended

    def settle(self, mark: str, shown: object) -> None:
        """A mark is what was last asked for, or what the kill cut off; from now on it is what is shown."""
        assert shown in self.marks[mark], (mark, shown, self.marks[mark])
        self.marks[mark] = [shown]

    def agree(self, log: Counter[Key]) -> None:
        """Every call that returned is in the log once, and a call that was cut off at most once, now or never."""
        for key in log.keys() | self.done.keys():
            assert self.done[key] <= log[key] <= self.done[key] + self.begun[key], key
        self.done, self.begun = log.copy(), Counter()


def key_of(note: Row) -> Key:
    """What makes a call one's own in the log."""
    match note["call"]:
        case "send":
            return note["text"], note["to"]
        case "edit":
            return note["to"], note["text"]
        case "file":
            return note["text"], note["file"]
        case "delete":
            return (note["to"],)
        case "react":
            return note["to"], note["emoji"]
        case "timer":
            return (str(note["seconds"]),)
    return ()
