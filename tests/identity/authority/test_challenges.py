"""A code serves once, for minutes, a few attempts, and not too often."""

import asyncio

import pytest

from identity.authority.codes import ConsoleSender
from identity.authority.errors import CodeNotSentError
from identity.number import TelephoneNumber


def other(code: str, step: int = 1) -> str:
    return f"{(int(code) + step) % 1_000_000:06}"


async def test_a_wrong_code_is_refused_and_the_right_one_still_serves(authority, device, problem):
    challenge, code = await authority.challenge()

    refused = problem(await authority.prove(challenge, other(code), device))

    assert (refused.type, refused.attempts_left) == ("urn:ringtrue:authority:wrong-code", 4)
    assert (await authority.prove(challenge, code, device)).status_code == 200


async def test_five_wrong_codes_kill_a_challenge(authority, device, word):
    challenge, code = await authority.challenge()

    words = [word(await authority.prove(challenge, other(code, n), device)) for n in range(1, 6)]

    assert words == ["wrong-code"] * 4 + ["challenge-dead"]
    assert word(await authority.prove(challenge, code, device)) == "challenge-dead"


async def test_wrong_codes_kill_a_used_challenge_too(authority, device, word):
    challenge, code = await authority.challenge()
    await authority.prove(challenge, code, device)

    for n in range(1, 6):
        await authority.prove(challenge, other(code, n), device)

    assert word(await authority.prove(challenge, code, device)) == "challenge-dead"


async def test_a_used_code_serves_no_other_key(authority, device, make_device, word):
    challenge, code = await authority.challenge()
    await authority.prove(challenge, code, device)

    assert word(await authority.prove(challenge, code, make_device())) == "challenge-used"


async def test_a_code_expires_after_ten_minutes(authority, device, word):
    challenge, code = await authority.challenge()
    authority.clock.now += 599
    early, code_of_early = challenge, code
    late, code_of_late = await authority.challenge()

    assert (await authority.prove(early, code_of_early, device)).status_code == 200
    authority.clock.now += 600
    assert word(await authority.prove(late, code_of_late, device)) == "challenge-expired"
    assert word(await authority.prove(early, code_of_early, device)) == "challenge-expired"


async def test_a_code_does_not_answer_another_challenge(authority, device, word):
    first, code_of_first = await authority.challenge()
    second, code_of_second = await authority.challenge()
    if code_of_first == code_of_second:
        pytest.skip("one time in a million both codes are the same")

    assert word(await authority.prove(second, code_of_first, device)) == "wrong-code"
    assert (await authority.prove(first, code_of_first, device)).status_code == 200


async def test_an_invented_challenge_is_unknown(authority, device, word):
    assert word(await authority.prove("A" * 22, "123456", device)) == "unknown-challenge"


async def test_the_code_is_not_in_the_database(authority, folder):
    _, code = await authority.challenge()

    stored = b"".join(path.read_bytes() for path in folder.rglob("*.sqlite*"))

    assert b"12025550142" in stored
    assert code.encode() not in stored


async def test_a_number_gets_five_codes_an_hour_and_twelve_a_day(authority, word, problem):
    for _ in range(5):
        await authority.challenge()
        authority.clock.now += 60
    response = await authority.http.post("/v1/challenges", json={"number": "+12025550142"})
    assert word(response) == "rate-limited"
    assert response.headers["retry-after"] == str(problem(response).retry_after) == str(3600 - 5 * 60)

    authority.clock.now += int(response.headers["retry-after"])
    await authority.challenge()
    authority.clock.now += 7200
    for _ in range(5):
        await authority.challenge()
    authority.clock.now += 7200
    await authority.challenge()
    assert problem(await authority.http.post("/v1/challenges", json={"number": "+12025550142"})).limit == 12


async def test_an_address_gets_sixty_codes_an_hour(open_at, authority, problem):
    for n in range(60):
        await authority.challenge(TelephoneNumber.from_digits(f"12025550{n:03}"))

    refused = problem(await authority.http.post("/v1/challenges", json={"number": "+12025550999"}))
    elsewhere = await open_at(address="192.0.2.2")

    assert (refused.limit_name, refused.limit) == ("CHALLENGES_PER_ADDRESS", 60)
    assert len(await elsewhere.challenge(TelephoneNumber.from_digits("12025550999"))) == 2


async def test_neighbours_in_one_ipv6_network_share_a_limit(open_at, problem):
    near, next_door = await open_at(address="2001:db8::1"), await open_at(address="2001:db8::2:3")
    for n in range(60):
        await near.challenge(TelephoneNumber.from_digits(f"12025550{n:03}"))

    response = await next_door.http.post("/v1/challenges", json={"number": "+12025550999"})

    assert problem(response).limit_name == "CHALLENGES_PER_ADDRESS"


async def test_rate_limits_survive_a_restart(open_at, word):
    before = await open_at()
    for _ in range(5):
        await before.challenge()

    after = await open_at()

    assert word(await after.http.post("/v1/challenges", json={"number": "+12025550142"})) == "rate-limited"


async def test_numbers_outside_the_prefixes_get_no_code(open_at, word):
    authority = await open_at(allow=("+1202555",))

    assert word(await authority.http.post("/v1/challenges", json={"number": "+12125550142"})) == "number-refused"
    assert word(await authority.http.post("/v1/challenges", json={"number": "+442079460000"})) == "number-refused"
    assert not authority.outbox.codes


@pytest.mark.parametrize("text", ["", "2025550142", "+", "+1", "+999", "alice", "+1 202 555 0142 ext 5"])
async def test_what_is_no_number_is_refused(authority, word, text):
    assert word(await authority.http.post("/v1/challenges", json={"number": text})) == "invalid-number"


async def test_a_code_that_cannot_be_sent_opens_no_challenge(authority, monkeypatch, word):
    drawn = []

    async def broken(number, code):
        drawn.append(code)
        raise CodeNotSentError("no route")

    monkeypatch.setattr(authority.outbox, "send", broken)
    response = await authority.http.post("/v1/challenges", json={"number": "+12025550142"})

    assert drawn
    assert word(response) == "code-not-sent"
    assert response.headers["retry-after"] == "30"


async def test_the_console_shows_number_and_code(capsys):
    await ConsoleSender().send(TelephoneNumber.from_digits("12025550142"), "004711")

    assert capsys.readouterr().err == "Code for +1 202-555-0142: 004711 (valid 10 minutes, once)\n"


async def test_guesses_made_at_once_are_counted_one_by_one(authority, device, word):
    challenge, code = await authority.challenge()

    answers = await asyncio.gather(*(authority.prove(challenge, other(code, n), device) for n in range(1, 21)))

    assert sorted(map(word, answers)) == ["challenge-dead"] * 16 + ["wrong-code"] * 4


async def test_of_many_keys_with_one_code_one_gets_a_token(authority, make_device, word):
    challenge, code = await authority.challenge()

    answers = await asyncio.gather(*(authority.prove(challenge, code, make_device()) for _ in range(8)))

    refused = [word(answer) for answer in answers if answer.status_code != 200]
    assert refused == ["challenge-used"] * 7


async def test_a_fault_of_ours_shows_nothing_of_itself(open_at, monkeypatch, word):
    authority = await open_at(show_exceptions=False)

    async def broken(number, code):
        raise RuntimeError(f"{number} {code}")

    monkeypatch.setattr(authority.outbox, "send", broken)
    response = await authority.http.post("/v1/challenges", json={"number": "+12025550142"})

    assert word(response) == "internal"
    assert "555" not in response.text
    assert "Traceback" not in response.text
