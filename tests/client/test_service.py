"""How a client takes a service that is away, overloaded, broken or hostile."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from client.defence.lies import Lie, look
from client.errors import (
    ClientError,
    GoneError,
    NotAMemberError,
    RateLimitedError,
    ServiceError,
    SessionExpiredError,
    StaleEpochError,
    UnexpectedAnswerError,
    UnreachableError,
)
from client.services import service
from client.services.answers import from_json, from_msgpack
from client.services.delivery import DeliveryClient
from client.services.problems import RETRY_AFTER_LIMIT, refusal
from client.services.service import ATTEMPTS, Call, Service
from delivery_service.wire import (
    PROBLEM_PREFIX,
    PROBLEMS,
    Entry,
    EntryBatch,
    GroupHeads,
    Problem,
    SessionGranted,
    Status,
    WelcomeBatch,
    WelcomeItem,
)
from identity.number import TelephoneNumber

BASE = "http://delivery.example"
LIMIT = 10_000
NOW = 1_800_000_000
Answer = Callable[[httpx.Request], httpx.Response]


class Scripted(httpx.AsyncBaseTransport):
    """A service that answers as told, the last answer again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = answers
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answers[min(len(self.requests), len(self._answers)) - 1](request)


def _fails(error: type[httpx.TransportError]) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("", request=request)

    return answer


def _says(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, stream=httpx.ByteStream(body), headers=named)


def _problem(word: str, **members: int) -> Problem:
    status, title = PROBLEMS[word]
    return msgspec.structs.replace(Problem(PROBLEM_PREFIX + word, title, status, "no"), **members)


def _refuses(word: str, **members: int) -> Answer:
    status, _ = PROBLEMS[word]
    return _says(status, msgspec.json.encode(_problem(word, **members)))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses take no time; the list says how long they would have been."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pause)
    return pauses


async def _send(transport: Scripted, call: Call | None = None) -> bytes:
    return await Service(BASE, LIMIT, transport).send(call or Call("GET", "/v1/status"))


async def test_a_service_that_comes_back_is_asked_again(quick: list[float]) -> None:
    transport = Scripted(_fails(httpx.ConnectError), _fails(httpx.ReadTimeout), _says(200, b"here"))
    assert await _send(transport) == b"here"
    assert len(quick) == 2


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ReadError])
async def test_a_service_that_stays_away_is_asked_a_few_times(error: type[httpx.TransportError]) -> None:
    transport = Scripted(_fails(error))
    with pytest.raises(UnreachableError) as caught:
        await _send(transport)
    assert len(transport.requests) == ATTEMPTS
    assert caught.value.retryable
    assert caught.value.exit_code == 6


async def test_what_may_have_been_carried_out_is_not_repeated() -> None:
    transport = Scripted(_fails(httpx.ReadTimeout))
    with pytest.raises(UnreachableError) as caught:
        await _send(transport, Call("POST", "/v1/key-packages/claims", repeatable=False))
    assert len(transport.requests) == 1
    assert not caught.value.retryable


async def test_what_was_never_sent_is_repeated() -> None:
    transport = Scripted(_fails(httpx.ConnectError), _says(200))
    await _send(transport, Call("POST", "/v1/key-packages/claims", repeatable=False))
    assert len(transport.requests) == 2


async def test_an_overloaded_service_is_given_the_time_it_asks_for(quick: list[float]) -> None:
    transport = Scripted(_refuses("overloaded", retry_after=3), _says(200, b"here"))
    assert await _send(transport) == b"here"
    assert quick[0] >= 3


async def test_a_long_wait_is_for_the_caller_to_decide() -> None:
    transport = Scripted(_refuses("rate-limited", retry_after=3_600))
    with pytest.raises(RateLimitedError) as caught:
        await _send(transport)
    assert len(transport.requests) == 1
    assert (caught.value.retry_after, caught.value.exit_code) == (3_600, 7)
    assert "3600 seconds" in caught.value.hint


def test_pauses_grow_and_have_a_bound() -> None:
    assert max(service.backoff(1) for _ in range(100)) <= 2 * service.BACKOFF
    assert max(service.backoff(10_000) for _ in range(100)) <= service.BACKOFF_LIMIT


async def test_an_endless_answer_is_cut_off() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield bytes(1_000)

    with pytest.raises(UnexpectedAnswerError):
        await _send(Scripted(lambda _: httpx.Response(200, content=endless())))
    assert sent <= LIMIT // 1_000 + 1


async def test_an_endless_refusal_is_cut_off() -> None:
    with pytest.raises(UnexpectedAnswerError):
        await _send(Scripted(_says(400, bytes(LIMIT + 1))))


async def test_a_compressed_answer_is_not_unpacked() -> None:
    transport = Scripted(_says(200, b"\x1f\x8b", content_encoding="gzip"))
    with pytest.raises(UnexpectedAnswerError):
        await _send(transport)
    assert transport.requests[0].headers["accept-encoding"] == "identity"


async def test_a_redirection_is_not_followed() -> None:
    transport = Scripted(_says(307, location="http://elsewhere.example/"))
    with pytest.raises(UnexpectedAnswerError):
        await _send(transport)
    assert len(transport.requests) == 1


@pytest.mark.parametrize(
    "address", ["", "example.org", "ftp://example.org", "http://", "https://u:p@h", "http://h/?q", "http://[", "\x00"]
)
def test_what_is_no_address_of_a_service_is_said_so(address: str) -> None:
    with pytest.raises(ClientError) as caught:
        Service(address, LIMIT)
    assert caught.value.code == "address"
    assert "https://" in caught.value.hint


@pytest.mark.parametrize("word", PROBLEMS)
def test_every_problem_of_the_service_has_its_word_as_code(word: str) -> None:
    status, title = PROBLEMS[word]
    problem = Problem(PROBLEM_PREFIX + word, title, status, "why", epoch=1, head=2, floor=3, retry_after=4)
    error = refusal(status, msgspec.json.encode(problem))
    assert isinstance(error, ServiceError)
    assert (error.code, str(error)) == (word, "why")
    assert error.hint


@pytest.mark.parametrize(
    ("word", "members", "kind", "facts"),
    [
        ("stale-epoch", {"epoch": 5, "head": 9}, StaleEpochError, {"epoch": 5, "head": 9}),
        ("gone", {"floor": 7}, GoneError, {"floor": 7}),
        ("rate-limited", {"retry_after": 60}, RateLimitedError, {"retry_after": 60}),
        ("rate-limited", {"retry_after": -60}, RateLimitedError, {"retry_after": 1}),
        ("overloaded", {"retry_after": 10**12}, RateLimitedError, {"retry_after": RETRY_AFTER_LIMIT}),
        ("session-expired", {}, SessionExpiredError, {}),
        ("not-a-member", {}, NotAMemberError, {}),
    ],
)
def test_refusals_carry_what_is_needed_to_act(
    word: str, members: dict[str, int], kind: type[ServiceError], facts: dict[str, int]
) -> None:
    error = refusal(PROBLEMS[word][0], msgspec.json.encode(_problem(word, **members)))
    assert type(error) is kind
    assert {name: getattr(error, name) for name in facts} == facts


def test_a_refusal_cannot_steer_the_terminal() -> None:
    problem = Problem("urn:ringtrue:delivery:\x1b[2J", "t", 400, "\x1b]0;owned\x07")
    error = refusal(400, msgspec.json.encode(problem))
    assert str(error).isprintable()
    assert error.code.isprintable()


@given(st.integers(300, 599), st.binary(max_size=80) | st.from_regex(rb'\{"type":.{0,40}\}', fullmatch=True))
def test_any_refusal_is_a_client_error(status: int, body: bytes) -> None:
    assert isinstance(refusal(status, body), ClientError)


@given(st.binary(max_size=80), st.sampled_from([Status, SessionGranted, GroupHeads]))
def test_garbage_instead_of_json_is_an_unexpected_answer(body: bytes, shape: type[msgspec.Struct]) -> None:
    with pytest.raises(UnexpectedAnswerError):
        from_json(body, shape)


@given(st.binary(max_size=80), st.sampled_from([EntryBatch, WelcomeBatch]))
def test_garbage_instead_of_messagepack_is_an_unexpected_answer(body: bytes, shape: type[msgspec.Struct]) -> None:
    with pytest.raises(UnexpectedAnswerError):
        from_msgpack(body, shape)


def _delivery(*answers: Answer) -> tuple[DeliveryClient, Scripted]:
    granted = msgspec.json.encode(SessionGranted("token", "+12025550142/00", "+12025550142", NOW + 600))
    transport = Scripted(_says(201, granted), *answers)
    key = ec.generate_private_key(ec.SECP256R1())
    return DeliveryClient(BASE, key, [b"leaf"], clock=lambda: NOW, transport=transport), transport


@pytest.mark.parametrize(
    ("numbers", "usable", "lies"),
    [
        ([5, 5], [5], [Lie.DUPLICATED]),
        ([6, 5], [5, 6], [Lie.REORDERED]),
        ([3, 4], [], [Lie.SERVED_AGAIN]),
        ([4], [], [Lie.SERVED_AGAIN]),
        ([5, 9], [5, 9], [Lie.BEYOND_HEAD]),
        ([6, 4, 6], [6], [Lie.SERVED_AGAIN, Lie.REORDERED, Lie.DUPLICATED]),
        ([5, 8], [5, 8], []),
    ],
)
async def test_entries_out_of_order_or_before_the_cursor_are_put_in_order_and_named(
    numbers: list[int], usable: list[int], lies: list[Lie]
) -> None:
    entries = [Entry(number, 0, "application", "", 0, b"") for number in numbers]
    delivery, _ = _delivery(_says(200, msgspec.msgpack.encode(EntryBatch(entries, 8, False))))
    looked = look(await delivery.entries(b"group", 4), 4)
    assert [entry.seq for entry in looked.entries] == usable
    assert looked.lies == lies


@pytest.mark.parametrize(("number", "at_ms"), [(-1, 0), (2**63, 0), (5, -1), (5, 2**63)])
async def test_entries_at_a_place_or_a_time_that_cannot_be_are_refused(number: int, at_ms: int) -> None:
    entries = [Entry(number, 0, "application", "", at_ms, b"")]
    delivery, _ = _delivery(_says(200, msgspec.msgpack.encode(EntryBatch(entries, 8, False))))
    with pytest.raises(UnexpectedAnswerError):
        await delivery.entries(b"group", 4)


async def test_more_entries_than_none_are_not_asked_for_for_ever() -> None:
    delivery, _ = _delivery(_says(200, msgspec.msgpack.encode(EntryBatch([], 8, True))))
    with pytest.raises(UnexpectedAnswerError):
        await delivery.entries(b"group", 4)


@pytest.mark.parametrize("positions", [[5, 5], [6, 5], [3, 4], [4], [5, 9]])
async def test_welcomes_out_of_order_or_before_the_cursor_are_refused(positions: list[int]) -> None:
    items = [WelcomeItem(position, b"group", 1, 0, b"") for position in positions]
    delivery, _ = _delivery(_says(200, msgspec.msgpack.encode(WelcomeBatch(items, 8))))
    with pytest.raises(UnexpectedAnswerError):
        await delivery.inbox(4)


async def test_a_session_that_never_holds_is_not_opened_for_ever() -> None:
    granted = msgspec.json.encode(SessionGranted("token", "+12025550142/00", "+12025550142", NOW + 600))
    delivery, transport = _delivery(_refuses("session-expired"), _says(201, granted), _refuses("session-expired"))
    with pytest.raises(SessionExpiredError):
        await delivery.heads()
    assert len(transport.requests) == 4


async def test_each_attempt_to_open_a_session_is_signed_anew() -> None:
    granted = msgspec.json.encode(SessionGranted("token", "+12025550142/00", "+12025550142", NOW + 600))
    transport = Scripted(_fails(httpx.ReadTimeout), _says(201, granted))
    key = ec.generate_private_key(ec.SECP256R1())
    await DeliveryClient(BASE, key, [b"leaf"], clock=lambda: NOW, transport=transport).open_session()
    first, second = (request.headers["signature-input"] for request in transport.requests)
    assert first != second


async def test_an_entry_is_repeated_with_the_same_idempotency_key() -> None:
    delivery, transport = _delivery(_fails(httpx.ReadTimeout), _says(201, b'{"seq":1,"epoch":0}'))
    await delivery.append(b"group", b"message", "0" * 32)
    assert [request.headers.get("idempotency-key") for request in transport.requests] == [None, "0" * 32, "0" * 32]


async def test_a_claim_that_may_have_arrived_is_not_repeated() -> None:
    delivery, transport = _delivery(_fails(httpx.ReadTimeout))
    with pytest.raises(UnreachableError) as caught:
        await delivery.claim_key_packages(TelephoneNumber.from_digits("12025550143"))
    assert not caught.value.retryable
    assert [request.url.path for request in transport.requests] == ["/v1/sessions", "/v1/key-packages/claims"]


def test_only_encrypted_connections_load_the_systems_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[ssl.SSLContext] = []
    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", lambda context, *_, **__: loaded.append(context))
    Service("http://127.0.0.1:8441", 1)
    assert not loaded
    Service("https://authority.example", 1)
    assert loaded
