"""Every refusal is a problem document (RFC 9457), and each word of the table is used."""

import msgspec
import pytest

from delivery_service.errors import RefusedError
from delivery_service.http.problems import problem_of
from delivery_service.wire import MLS_TYPE, PROBLEMS, RETENTION

ALICE, BOB = "+12025550142", "+12025550143"


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_a_word_has_its_status_and_title(name):
    problem = problem_of(RefusedError(name, "because", limit=3))
    assert (problem.type, problem.status, problem.limit) == (f"urn:ringtrue:delivery:{name}", PROBLEMS[name][0], 3)
    assert b'"epoch"' not in msgspec.json.encode(problem)


async def test_the_words_of_ordinary_mistakes(world, problem_word):
    alice, bob = await world.device(ALICE), await world.device(BOB)
    group = await alice.create()
    message = group.encrypt(b"hello")
    path = f"/v1/groups/{'A' * 22}/entries"
    answers = {
        "malformed": await alice.append(group.group_id, b"no MLSMessage"),
        "session-expired": await world.http.get("/v1/inbox"),
        "not-a-member": await bob.append(group.group_id, message),
        "unknown-group": await alice.call("GET", path),
        "unknown-number": await alice.claim_answer(BOB),
        "unsupported-type": await alice.post(path, message, "application/json"),
        "not-allowed": await alice.append(group.group_id, group.group_info()),
    }
    assert {name: problem_word(answer) for name, answer in answers.items()} == {name: name for name in answers}
    assert all(answer.status_code == PROBLEMS[name][0] for name, answer in answers.items())


@pytest.mark.parametrize("key", ["", "0" * 31, "0" * 33, "g" * 32, "0" * 30 + "  ", "０" * 32])
async def test_an_idempotency_key_has_32_hexadecimal_digits(world, problem_word, key):
    alice = await world.device(ALICE)
    group = await alice.create()
    headers = {"authorization": f"Bearer {alice.token}", "content-type": MLS_TYPE, "idempotency-key": key.encode()}
    answer = await world.http.post(f"/v1/groups/{'A' * 22}/entries", content=group.encrypt(b"hello"), headers=headers)
    assert problem_word(answer) == "malformed"


@pytest.mark.parametrize("group", ["AAA=", "A", "!!!!", "AAAB" * 400, "%C3%A9"])
async def test_a_group_id_is_unpadded_base64url(world, problem_word, group):
    alice = await world.device(ALICE)
    expected = "unknown-group" if group.startswith("AAAB") else "malformed"
    assert problem_word(await alice.call("GET", f"/v1/groups/{group}/entries")) == expected


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/", 404), ("DELETE", "/v1/groups", 405)])
async def test_unknown_addresses_are_plain_problems(world, method, path, status):
    answer = await world.http.request(method, path)
    assert (answer.status_code, answer.json()["type"]) == (status, "about:blank")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_reader_behind_the_retention_learns_the_floor(world, problem_word):
    alice = await world.device(ALICE)
    group = await alice.create()
    await alice.say(group, b"old")
    world.clock.now += RETENTION + 1
    await alice.open_session()
    await alice.say(group, b"new")
    await world.app.state.service.store.expire_before(alice.now - RETENTION, alice.now)
    answer = await alice.read_answer(group.group_id)
    assert (answer.status_code, problem_word(answer), answer.json()["floor"]) == (410, "gone", 2)
    assert [entry.seq for entry in (await alice.read(group.group_id, 1)).entries] == [2]


async def test_a_store_that_cannot_write_answers_overloaded(world, problem_word):
    alice = await world.device(ALICE)
    group = await alice.create()
    service = world.app.state.service
    await service.engine.write(lambda tx: tx.run("DROP TABLE log"))
    answer = await alice.append(group.group_id, group.encrypt(b"hello"))
    assert (answer.status_code, problem_word(answer)) == (503, "overloaded")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_failure_of_the_service_itself_shows_no_traceback(world):
    alice = await world.device(ALICE)
    world.app.state.service.wakeups = None
    answer = await alice.call("GET", "/v1/inbox")
    assert (answer.status_code, answer.json()["type"]) == (500, "about:blank")
    assert "Traceback" not in answer.text
    assert "NoneType" not in answer.text
