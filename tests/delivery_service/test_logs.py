"""The log tells an operator what happened, and nobody who it was."""

import io
import json
import logging
import re
import signal
from base64 import b64encode
from pathlib import Path

import httpx
from hypothesis import given
from hypothesis import strategies as st

from delivery_service.logs import EVENTS, LINES_PER_SECOND, EventLog, LibraryRecords
from identity.base64url import encode_base64url
from tests.delivery_service.conftest import NOW, Clock
from tests.delivery_service.real_process import RealProcess

ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"
RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
FIELDS = {
    *("at", "level", "event", "request", "method", "route", "status", "word", "ms", "who", "group"),
    *("url", "seconds", "lines", "logger", "message", "error", "where"),
}


async def test_a_busy_day_in_the_log_names_nobody_and_shows_nothing(tmp_path: Path, now_roots, now_device):
    process = RealProcess(tmp_path / "service", now_roots, "--log-requests")
    await process.start()
    devices = [now_device(number) for number in (ALICE, BOB, CAROL)]
    secret = {*(each.number.removeprefix("+") for each in devices)}
    for device in devices:
        await device.http.aclose()
        device.http = process.client()
        await device.open_session()
        assert (await device.publish(2, last_resort=True)).status_code == 200
        secret |= {device.token, device.name, device.name.partition("/")[2]}
    alice, bob, carol = devices
    group = await alice.create()
    await alice.add(group, BOB)
    joined, _ = await bob.join()
    said = [await alice.say(group, b"meet me at noon"), await bob.say(joined, b"I shall come")]
    await carol.choose("contacts", ALICE)
    await carol.decide(BOB, "block")
    refused = [
        await bob.claim_answer(CAROL),
        await bob.ask(CAROL),
        await carol.append(group.group_id, group.encrypt(b"from outside")),
        await alice.append(group.group_id, b"meet me at midnight"),
        await alice.http.get(f"/v1/groups/{ALICE}/entries?after={BOB}"),
        await alice.http.get(f"/v1/people/{CAROL}"),
        await alice.http.post("/v1/sessions", content=b"{", headers={"content-type": "application/json"}),
        await alice.http.request("MEET", "/v1/noon"),
    ]
    assert all(answer.status_code >= 400 for answer in refused)
    for device in devices:
        await device.http.aclose()
    assert await process.end(signal.SIGTERM) == 0

    name = group.group_id
    secret |= {name.hex(), encode_base64url(name).decode(), b64encode(name).decode()}
    secret |= {"noon", "midnight", "meet", "127.0.0.1", "I shall come"}
    events = process.events()
    told = "".join(line for line, event in zip(process.lines, events, strict=True) if event["event"] != "started")
    assert [word for word in secret if word.lower() in told.lower()] == []
    assert len(said) == 2
    assert {name for event in events for name in event} <= FIELDS
    assert {event["event"] for event in events} <= set(EVENTS)
    assert {"started", "request_answered", "request_refused", "draining", "stopped"} <= {e["event"] for e in events}
    asked = [event for event in events if event["event"].startswith("request_")]
    assert len({event["request"] for event in asked}) == len(asked)
    by_alice = {event["who"] for event in asked if event["route"] == "/v1/groups" and event["method"] == "POST"}
    of_bob = {event["who"] for event in asked if event["route"] == "/v1/inbox"}
    assert len(by_alice) == len(of_bob) == 1
    assert by_alice != of_bob  # people can be told apart within a day
    answer = refused[3]
    assert answer.headers["request-id"] in {event["request"] for event in asked if event.get("word") == "malformed"}


def test_names_of_one_day_say_nothing_on_the_next():
    clock = Clock()
    log, other = (EventLog(io.StringIO(), "json", clock) for _ in range(2))
    today = log.name(ALICE.encode())
    assert today == log.name(ALICE.encode())
    assert today not in (log.name(BOB.encode()), other.name(ALICE.encode()))
    clock.now += 86_400
    assert today != log.name(ALICE.encode())


def test_a_flood_of_lines_is_bounded_and_counted():
    clock, stream = Clock(), io.StringIO()
    log = EventLog(stream, "json", clock)
    for _ in range(LINES_PER_SECOND + 7):
        log.write("request_refused", status=400)
    assert stream.getvalue().count("\n") == LINES_PER_SECOND
    clock.now += 1
    log.write("stopped")
    *_, left_out, last = map(json.loads, stream.getvalue().splitlines())
    assert (left_out["event"], left_out["lines"], last["event"]) == ("left_out", 7, "stopped")


@given(st.text(), st.text())
def test_an_event_is_one_line_whatever_is_in_it(word: str, message: str):
    stream = io.StringIO()
    EventLog(stream, "json", lambda: NOW).write("library", word=word, message=message)
    (line,) = stream.getvalue().split("\n")[:-1]
    assert json.loads(line)["message"] == message
    text = io.StringIO()
    EventLog(text, "text", lambda: NOW).write("library", message=message)
    assert len(text.getvalue().splitlines()) == 1


def test_what_libraries_log_comes_without_its_values():
    stream = io.StringIO()
    logger = logging.Logger("library.of.somebody")
    logger.addHandler(LibraryRecords(EventLog(stream, "json", lambda: NOW)))
    logger.error("cannot reach %s", ALICE)
    try:
        raise ValueError(f"{ALICE} is wrong")
    except ValueError:
        logger.exception("Exception in ASGI application")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["message"] == "cannot reach %s"
    assert (second["error"], second["logger"]) == ("ValueError", "library.of.somebody")
    assert ALICE not in stream.getvalue()


def test_the_runbook_explains_every_event():
    stated = re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", RUNBOOK.read_text().partition("## The log")[2], re.MULTILINE)
    assert dict(stated) == EVENTS


async def test_without_a_log_a_service_says_only_where_it_is(tmp_path: Path, now_roots):
    process = RealProcess(tmp_path / "service", now_roots)
    process.command = [each for each in process.command if each not in ("--log", "json")]
    await process.launch()
    line = await process.line(0)
    assert " at http://127.0.0.1:" in line
    async with httpx.AsyncClient(base_url=line.rpartition(" at ")[2].strip()) as http:
        assert (await http.get("/v1/nowhere")).status_code == 404
    assert await process.end() == 0
    assert len(process.lines) == 1
