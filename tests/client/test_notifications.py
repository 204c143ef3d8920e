"""Notifications: never a storm, never more than was allowed, never something that steers a terminal or a desktop."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.config import Preview
from client.terminal.notifications import INTERVAL, Arrival, Notice, is_due, notice, notify_desktop, sequences
from identity.number import TelephoneNumber
from tests.client.terminal_attacks import ATTACKS

MEI, RAVI = TelephoneNumber("12025550101"), TelephoneNumber("12025550102")
TEXTS = st.text() | st.sampled_from(list(ATTACKS.values()))
TERMINALS = [{"TERM": "xterm-kitty"}, {"TERM": "foot"}, {"TERM_PROGRAM": "WezTerm"}, {"LC_TERMINAL": "iTerm2"}]


@given(st.lists(st.floats(0, 60), max_size=200).map(sorted))
def test_a_catch_up_is_told_in_few_notifications(arrivals: list[float]) -> None:
    last, pending, told = 0.0, 0, 0
    for now in [*arrivals, 60 + INTERVAL]:
        pending += 1
        if is_due(now, last, pending):
            last, pending, told = now, 0, told + 1
    assert pending == 0
    assert told <= 60 / INTERVAL + 1


def test_nothing_is_told_at_the_start_nor_when_nothing_waits() -> None:
    assert not is_due(now=INTERVAL - 1, last=0, pending=500)
    assert not is_due(now=INTERVAL * 9, last=0, pending=0)
    assert is_due(now=INTERVAL, last=0, pending=1)


@pytest.mark.parametrize(
    ("level", "pending", "line"),
    [
        ("none", [Arrival(MEI, "at eight?")], "New message"),
        ("number", [Arrival(MEI, "at eight?")], "New message from +1 202-555-0101"),
        ("text", [Arrival(MEI, "at eight?")], "+1 202-555-0101: at eight?"),
        ("none", [Arrival(MEI, "a"), Arrival(RAVI, "b")], "2 new messages"),
        ("number", [Arrival(MEI, "a"), Arrival(MEI, "b")], "2 new messages from +1 202-555-0101"),
        ("text", [Arrival(MEI, "a"), Arrival(RAVI, "b")], "2 new messages from 2 numbers"),
    ],
)
def test_no_more_is_said_than_the_settings_allow(level: Preview, pending: list[Arrival], line: str) -> None:
    assert notice(pending, level).line == line


@given(TEXTS, st.sampled_from(["none", "number", "text"]))
def test_discreet_words_never_hold_a_message(text: str, level: Preview) -> None:
    assert notice([Arrival(MEI, text)], level).discreet in ("New message", "New message from +1 202-555-0101")


@pytest.mark.parametrize("environment", TERMINALS)
@given(text=TEXTS)
def test_a_terminal_gets_one_sequence_whatever_the_text(environment: dict[str, str], text: str) -> None:
    sent = sequences(Notice(text, text), bell=False, environment=environment)
    assert sent.startswith(("\x1b]9;Ringtrue: ", "\x1b]777;notify;Ringtrue;"))
    assert sent.endswith("\a")
    assert not set("\x1b\a\n\r\x9c\x9d") & set(sent[1:-1])


def test_an_unknown_terminal_only_rings_and_only_if_wanted() -> None:
    new = notice([Arrival(MEI, "hello")], "text")
    assert sequences(new, bell=True, environment={"TERM": "xterm-256color"}) == "\a"
    assert sequences(new, bell=False, environment={"TERM": "xterm-256color"}) == ""
    assert sequences(new, bell=True, environment={"TERM": "xterm-kitty"}).startswith("\a\x1b]9;")


def put_tool(folder: Path, script: str) -> dict[str, str]:
    tool = folder / "notify-send"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "DISPLAY": ":9", "FOLDER": str(folder)}


async def test_the_desktop_gets_discreet_words_as_arguments(tmp_path: Path) -> None:
    environment = put_tool(tmp_path, 'for argument in "$@"; do echo "$argument"; done > "$FOLDER/got"')
    assert await notify_desktop(notice([Arrival(MEI, "--icon=/x <b>")], "text"), environment)
    assert (tmp_path / "got").read_text().splitlines() == [
        "--app-name=Ringtrue",
        "--",
        "Ringtrue",
        "New message from +1 202-555-0101",
    ]


async def test_without_a_desktop_nothing_is_run(tmp_path: Path) -> None:
    environment = put_tool(tmp_path, 'touch "$FOLDER/ran"')
    del environment["DISPLAY"]
    assert not await notify_desktop(Notice("x", "x"), environment)
    assert not (tmp_path / "ran").exists()


async def test_a_desktop_tool_that_fails_is_said_to_have(tmp_path: Path) -> None:
    assert not await notify_desktop(Notice("x", "x"), put_tool(tmp_path, "exit 1"))
    assert not await notify_desktop(Notice("x", "x"), {"PATH": str(tmp_path / "none"), "DISPLAY": ":9"})
