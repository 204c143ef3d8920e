"""The measurements run, at a small size, and measure what they say."""

import pytest

from lab.bench import admission, end_to_end, enrolment, franking, memory, passport, renewals, revocations, stores


def test_end_to_end_is_measured_with_the_binding_as_its_smaller_part() -> None:
    whole, share = end_to_end.run(quick=True)
    assert whole.floor is not None
    assert 0 < share.ours < whole.ours
    assert share.floor is not None
    assert share.ours < share.floor


def test_franking_is_measured_as_a_small_part_of_the_whole() -> None:
    tag, frank, check, share = franking.run(quick=True)
    assert all(row.floor is not None and row.ours > 0 for row in (tag, frank, check))
    assert share.floor is not None
    assert check.ours < share.ours < share.floor


def test_a_token_is_measured_beside_the_signatures_that_nobody_can_save() -> None:
    rows = passport.run(quick=True)
    assert [row.name for row in rows if row.aim is not None] == [
        "attest", "verify_message, warm", "verify_message, cold", "five steps, cold"
    ]  # fmt: skip
    assert all(row.floor is not None and row.ours > 0 for row in rows)


def test_a_list_of_revocations_is_measured_beside_its_signature() -> None:
    verify, look_up = revocations.run(quick=True)
    assert verify.floor is not None
    assert verify.floor < verify.ours
    assert look_up.ours > 0


def test_admission_is_measured_for_each_standing_of_a_sender_beside_its_queries() -> None:
    rows = admission.run(quick=True)
    assert len(rows) == 3
    assert all(row.aim is not None and row.floor is not None and row.floor < row.ours for row in rows)


def test_memory_is_that_of_the_joining_process() -> None:
    joined, received = memory.run(quick=True)
    assert joined.floor is not None
    assert 10 < joined.floor <= joined.ours <= received.ours < 1_000


def test_renewals_cost_a_group_less_than_a_commit_each() -> None:
    rows = renewals.run(quick=True)
    assert len(rows) == 6
    for row in rows:
        assert row.floor is not None
        assert 0 < row.ours < row.floor
    commits, quiet = rows[0], rows[3]
    assert 80 <= quiet.floor <= commits.floor < 90  # a member may have a commit to make besides
    assert quiet.ours <= commits.ours


def test_enrolments_are_measured_beside_as_many_bare_requests() -> None:
    enrolled, renewed = enrolment.run(quick=True)
    for row in (enrolled, renewed):
        assert row.floor is not None
        assert 0 < row.ours < row.floor
        assert "requests" in row.note


def test_both_engines_are_measured_beside_themselves(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(stores.DATABASE, database)
    rows = stores.run(quick=True)
    assert [row.n for row in rows] == 2 * [*stores.CALLERS, stores.FOLLOWERS]
    assert all(row.ours > 0 for row in rows)
    assert all(row.floor is not None for row in rows if "appends" in row.name)
