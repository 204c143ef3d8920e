"""The Range field of a request, whatever stands in it (RFC 9110 §14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery_service.errors import RefusedError
from delivery_service.http.ranges import requested
from delivery_service.http.requests import blob_of, piece_of, upload_of

TAG = '"tag"'
SIZE = 1000


def asked(field: str, condition: str = "", size: int = SIZE) -> tuple[int, int] | None:
    return requested(field, condition, TAG, size)


def outcome(work):
    """What a work gives, or the word of its refusal."""
    try:
        return work()
    except RefusedError as error:
        return error.word


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=0-999", (0, 1000)),
        ("bytes=500-", (500, 1000)),
        ("bytes=999-5000", (999, 1000)),
        ("bytes=-1", (999, 1000)),
        ("bytes=-5000", (0, 1000)),
        ("BYTES=7-8", (7, 9)),
        ("bytes= 7-8\t", (7, 9)),
        (f"bytes=0-{'9' * 5000}", (0, 1000)),
        (f"bytes={'0' * 30}7-8", (7, 9)),
    ],
)
def test_a_range_is_understood_as_the_rfc_has_it(field, expected):
    assert asked(field) == expected


@pytest.mark.parametrize(
    "field",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=8-7",
        "bytes=0-1,3-4",
        "items=0-1",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes=٣-٤",
    ],
)
def test_what_is_no_single_range_is_passed_over(field):
    assert asked(field) is None


@pytest.mark.parametrize("field", ["bytes=1000-", "bytes=1000-1001", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_range_beyond_the_end_is_refused(field):
    with pytest.raises(RefusedError) as caught:
        asked(field)
    assert caught.value.word == "range-not-satisfiable"


def test_a_range_of_other_octets_is_passed_over():
    assert asked("bytes=0-1", TAG) == (0, 2)
    for condition in ('"other"', f"W/{TAG}", "Wed, 25 Nov 2026 00:00:00 GMT"):
        assert asked("bytes=0-1", condition) is None


@given(st.text() | st.from_regex(r"bytes=[0-9]{0,25}-[0-9]{0,25}", fullmatch=True), st.integers(1, 2**40))
def test_whatever_is_asked_a_range_lies_within_the_blob(field, size):
    found = outcome(lambda: asked(field, size=size))
    assert found in (None, "range-not-satisfiable") or 0 <= found[0] < found[1] <= size


@given(st.integers(0, 2**70), st.integers(0, 2**70), st.integers(1, 2**40))
def test_a_range_in_order_is_exactly_what_was_asked_as_far_as_there_are_octets(first, last, size):
    if first >= size:
        with pytest.raises(RefusedError):
            asked(f"bytes={first}-", size=size)
    elif last >= first:
        assert asked(f"bytes={first}-{last}", size=size) == (first, min(size, last + 1))


@given(st.text() | st.from_regex(r"[0-9a-fA-F]{30,66}", fullmatch=True) | st.integers().map(str))
def test_names_and_numbers_in_a_path_are_read_back_exactly_or_refused(text):
    for parse, written in (
        (blob_of, bytes.hex),
        (upload_of, str),
        (piece_of, str),
    ):
        value = outcome(lambda parse=parse: parse(text))
        assert value == "malformed" or written(value) == text
