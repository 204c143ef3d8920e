"""What an ACME server answers, refusals included: read, or refused with an error of ours."""

from contextlib import suppress

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import example, given
from hypothesis import strategies as st

from client.credentials import acme_order
from client.credentials.acme_answers import Authorization, Challenge, Directory, Order
from client.credentials.acme_problems import HINTS, PREFIX, acme_refusal, retry_after
from client.errors import (
    CertificationRefusedError,
    ClientError,
    EnrolmentError,
    RateLimitedError,
    ServiceError,
    UnexpectedAnswerError,
)
from client.services.answers import from_json
from client.services.service import Answer
from identity.authority.acme.wire import PROBLEMS
from identity.issuing import create_root
from tests.client.test_enrolment_client import BASE_URL, as_pem

DAY = 86_400
MEMBERS = [
    *("newNonce", "newAccount", "newOrder", "meta", "termsOfService", "status", "authorizations", "finalize"),
    *("certificate", "x5u", "error", "type", "url", "tkauth-type", "token-authority", "challenges", "detail"),
]


@pytest.mark.parametrize("word", PROBLEMS)
def test_every_refusal_says_what_to_do(word: str) -> None:
    body = msgspec.json.encode({"type": PREFIX + word, "detail": "it says why", "status": 400})
    error = acme_refusal(Answer(400, httpx.Headers(), body), 0)
    assert isinstance(error, CertificationRefusedError | RateLimitedError)
    assert (str(error), bool(error.hint)) == ("it says why", True)
    assert error.code in HINTS or isinstance(error, RateLimitedError) or word == "connection"


@given(st.binary(max_size=300), st.integers(400, 599), st.text(st.characters(max_codepoint=255), max_size=40))
def test_any_refusal_becomes_an_error_of_ours(body: bytes, status: int, header: str) -> None:
    headers = httpx.Headers([(b"retry-after", header.encode("latin-1"))])
    assert isinstance(acme_refusal(Answer(status, headers, body), 0), ServiceError | UnexpectedAnswerError)
    waited = retry_after(headers, 0)
    assert waited is None or waited >= 0


@given(
    st.dictionaries(
        st.sampled_from(["type", "title", "status", "detail", "check", "retry_after"]),
        st.none() | st.text() | st.integers(),
    )
)
def test_any_problem_document_becomes_an_error_of_ours(members: dict[str, object]) -> None:
    body = msgspec.json.encode(members)
    error = acme_refusal(Answer(400, httpx.Headers(), body), 0)
    assert isinstance(error, ClientError)
    assert str(error).isprintable()


def test_a_moment_to_try_again_is_understood() -> None:
    headers = httpx.Headers({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"})
    assert retry_after(headers, 20) == 40
    assert retry_after(headers, 90) == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["valid", "pending", BASE_URL]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(MEMBERS), VALUES), st.sampled_from([Directory, Order, Authorization, Challenge]))
def test_any_object_of_a_server_is_read_or_refused(members: dict[str, object], shape: type[msgspec.Struct]) -> None:
    with suppress(UnexpectedAnswerError):
        from_json(msgspec.json.encode(members), shape)


CERTIFICATE = create_root("A root", 1_800_000_000, DAY)[1].public_bytes(Encoding.DER)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.lists(st.tuples(st.integers(0, len(CERTIFICATE) - 1), st.integers(0, 255)), max_size=4))
@example([(12, 9)])  # a version that there is not
def test_any_chain_is_read_or_refused(changes: list[tuple[int, int]]) -> None:
    octets = bytearray(CERTIFICATE)
    for place, value in changes:
        octets[place] = value
    with suppress(EnrolmentError):
        (read,) = acme_order.certificates(as_pem([bytes(octets)]))
        assert len(read) <= len(octets)


@given(st.binary(max_size=200))
def test_any_octets_are_a_chain_or_refused(octets: bytes) -> None:
    with suppress(EnrolmentError):
        acme_order.certificates(octets)
