"""Every constant of the delivery service is a limit that is tested at itself and one past it, or says what it is.

A new constant without an entry fails, and so does an entry without its constant or a test that is not there.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE, TESTS = ROOT / "delivery_service", ROOT / "tests" / "delivery_service"

# constant -> the tests that meet it exactly, and go one past it; one test where it does both
LIMITS = {
    "wire.SIGNATURE_MAX_AGE": "sessions::a_signature_may_be_a_minute_old_or_early",
    "wire.SESSION_LIFETIME": "sessions::a_token_is_good_for_its_time_only_and_cannot_be_altered",
    "wire.APPLICATION_LIMIT": "limits::an_application_message_may_fill_its_limit",
    "wire.PROPOSAL_LIMIT": "limits_exact::a_proposal_has_the_limit_of_its_address",
    "wire.COMMIT_LIMIT": "limits::each_part_of_a_bundle_has_its_limit",
    "wire.WELCOME_LIMIT": "limits::each_part_of_a_bundle_has_its_limit",
    "wire.GROUP_INFO_LIMIT": "limits::each_part_of_a_bundle_has_its_limit",
    "wire.FOUNDING_LIMIT": "limits::bodies_are_measured_before_they_are_read",
    "wire.BUNDLE_LIMIT": "limits::bodies_are_measured_before_they_are_read",
    "wire.KEY_PACKAGE_LIMIT": "limits::a_key_package_may_fill_its_limit",
    "wire.KEY_PACKAGES_PER_DEVICE": "limits::a_device_keeps_a_hundred_key_packages",
    "wire.CONTROL_LIMIT": "limits::bodies_are_measured_before_they_are_read",
    "wire.UPLOAD_LIMIT": "limits::bodies_are_measured_before_they_are_read",
    "wire.BLOB_LIMIT": (
        "blobs::a_blob_of_the_largest_size_is_stored_and_read blobs::a_blob_has_from_one_octet_to_its_limit"
    ),
    "wire.BATCH_ENTRIES": "limits::batches_end_at_their_limits_and_say_that_more_is_there",
    "wire.BATCH_OCTETS": "limits::batches_end_at_their_limits_and_say_that_more_is_there",
    "wire.LONG_POLL_LIMIT": "limits::waiting_is_limited",
    "wire.RETENTION": "blobs::old_blobs_go_with_the_retention_and_unfinished_uploads_after_a_day",
    "wire.CLAIMS_PER_HOUR": "key_packages::claims_are_limited_for_the_claiming_number_and_refill",
    "wire.OWN_CLAIMS_PER_HOUR": "key_packages::claims_for_ones_own_other_devices_count_by_themselves",
    "wire.CLAIMS_PER_TARGET_HOUR": "abuse::claims_beyond_the_targets_limit_spare_its_one_time_packages",
    "wire.SESSIONS_PER_HOUR": "abuse::a_number_opens_so_many_sessions_an_hour",
    "wire.OPENINGS_KEPT": "store_port::openings_are_counted_for_each_device_and_the_last_ones_kept",
    "wire.UPLOADS_PER_HOUR": "abuse::a_number_uploads_so_often_an_hour",
    "wire.GROUPS_PER_HOUR": "abuse::a_number_founds_so_many_groups_an_hour",
    "wire.OCTETS_PER_HOUR": "abuse::a_number_sends_so_many_octets_an_hour",
    "wire.BLOBS_PER_HOUR": "blobs::a_number_stores_so_many_blobs_and_octets_an_hour",
    "wire.PROPOSALS_PER_EPOCH": "abuse::an_epoch_takes_so_many_proposals_until_a_commit_clears_them",
    "wire.INBOX_LIMIT": "abuse::an_inbox_holds_so_many_welcomes",
    "wire.INBOX_PER_NUMBER": "abuse::one_number_fills_nobody_s_inbox",
    "wire.FIRST_CONTACTS_PER_DAY": "quotas::a_number_makes_so_many_first_contacts_a_day",
    "wire.FIRST_CONTACTS_PER_ISSUER_HOUR": "quotas::the_numbers_of_an_issuer_make_so_many_first_contacts_an_hour",
    "wire.FIRST_CONTACTS_PER_TARGET_DAY": (
        "quotas::a_number_is_reached_by_so_many_new_numbers_a_day_and_by_those_it_knows_for_ever"
    ),
    "wire.CONTACT_REQUEST_LIMIT": "limits::bodies_are_measured_before_they_are_read",
    "wire.SIGNATURE_FIELD_LIMIT": "limits_exact::each_field_of_a_contact_request_s_signature_has_its_limit",
    "wire.CONTACT_REQUEST_LIFETIME": "limits_exact::a_contact_request_waits_to_the_second",
    "wire.CONTACT_REQUEST_PAUSE": (
        "consent::a_refused_and_an_unanswered_request_look_alike_and_may_not_be_repeated_at_once"
    ),
    "wire.CONTACT_REQUESTS_WAITING": "consent::so_many_requests_wait_for_a_number",
    "wire.CONTACT_GRANTS_LIMIT": "consent::numbers_and_bodies_are_checked",
    "wire.CONTACT_MODE_LIMIT": "limits::bodies_are_measured_before_they_are_read",
    "wire.CONTACT_DECISIONS_PER_HOUR": "consent::decisions_are_limited_for_each_number",
    "wire.GRANTS_PER_DECISION": "limits_exact::a_mode_with_so_many_grants_costs_one_decision_and_with_one_more_two",
    "wire.blobs.PIECE_SIZE": "blobs::a_piece_has_its_size_and_no_other blobs::an_endless_piece_is_cut_off_at_its_limit",
    "wire.blobs.UPLOADS_OPEN": "blobs::a_number_has_so_many_uploads_open",
    "wire.blobs.UPLOAD_LIFETIME": "blobs::old_blobs_go_with_the_retention_and_unfinished_uploads_after_a_day",
    "wire.blobs.BLOB_OCTETS_KEPT": "blobs::what_a_number_has_stored_and_begun_is_within_its_quota_and_comes_free_again",
    "wire.duties.RETENTION_LEAST": "limits_exact::a_retention_is_within_its_bounds",
    "wire.duties.RETENTION_MOST": "limits_exact::a_retention_is_within_its_bounds",
    "wire.duties.LAST_RESORT_AGE": "limits_exact::a_last_resort_package_is_old_to_the_second",
    "wire.duties.EVICTION_MARGIN": "limits_exact::a_member_is_lapsed_to_the_second",
    "wire.ending.DELETION_NOTICE": "ending::a_closed_group_vanishes_after_the_notice_and_its_id_is_not_taken_again",
    "wire.rollback.ROLLBACK_WINDOW": "rollback::rule_2_a_commit_stands_when_its_time_is_over",
    "wire.rollback.ROLLBACK_PENALTY": "limits_exact::whose_commit_was_taken_back_makes_none_to_the_second",
    "wire.rollback.REPORTS_LIMIT": "limits_exact::a_rollback_names_so_many_reports",
    "wire.rollback.LARGEST": "limits_exact::places_in_a_log_are_within_what_the_store_can_count",
    "wire.streams.GROUPS_PER_EVENT": (
        "many_streams::ten_thousand_groups_are_followed_by_one_stream_in_events_that_every_client_takes"
    ),
    "http.requests.LARGEST_CURSOR": "limits_exact::places_in_a_log_are_within_what_the_store_can_count",
    "http.connections.HEAD_LIMIT": "limits_exact::a_head_has_so_many_octets",
    "http.connections.REQUEST_TIME": (
        "connections::a_connection_carries_request_after_request "
        "connections::a_request_that_does_not_come_ends_the_connection"
    ),
    "http.connections.PATIENCE": (
        "connections::a_connection_carries_request_after_request "
        "connections::a_peer_that_does_not_read_loses_its_connection"
    ),
    "http.connections.CONNECTIONS_LIMIT": (
        "many_streams::a_connection_too_many_is_refused_and_those_that_are_there_are_not"
    ),
    "http.connections.REFUSED_LIMIT": "many_streams::connections_far_beyond_the_limit_are_cut_without_waiting",
    "http.connections.REFUSED_TIME": (
        "many_streams::a_connection_too_many_is_refused_and_those_that_are_there_are_not "
        "limits_exact::who_is_refused_for_want_of_room_and_asks_nothing_is_cut"
    ),
    "blobs.DOWNLOADS_PER_NUMBER": "blobs::a_number_has_so_many_downloads_at_once",
    "blobs.DOWNLOADS": "limits_exact::pieces_and_downloads_of_all_numbers_have_so_many_turns",
    "blobs.UPLOADS_PER_NUMBER": "blobs::slow_bodies_hold_up_their_own_number_and_nobody_else",
    "blobs.UPLOADS": "limits_exact::pieces_and_downloads_of_all_numbers_have_so_many_turns",
    "events.STREAMS_PER_DEVICE": "event_stream::one_stream_too_many_closes_the_oldest",
    "events.PATIENCE": (
        "event_stream::a_stream_begins_with_all_heads_and_tells_each_change "
        "event_stream::a_reader_that_does_not_read_is_closed"
    ),
    "framing.EPOCH_LIMIT": "limits_exact::an_epoch_is_one_that_the_store_can_count",
    "framing.GROUP_ID_LIMIT": "handshakes::a_group_begins_with_its_founder_alone",
    "groups.HANDSHAKES_PER_NUMBER": "abuse::a_number_has_so_many_handshakes_waiting_whatever_devices_it_has",
    "groups.HANDSHAKES": "limits_exact::turns_of_all_numbers_are_as_many_as_they_say",
    "service.LARGE_BODIES_PER_NUMBER": "abuse::large_bodies_of_a_number_take_turns",
    "service.LARGE_BODIES": "limits_exact::turns_of_all_numbers_are_as_many_as_they_say",
    "service.READINGS_PER_NUMBER": (
        "limits_exact::a_number_has_so_many_batches_in_memory_and_others_do_not_wait_for_them"
    ),
    "limits.BUCKETS_LIMIT": "limits_exact::an_hourly_limit_remembers_so_many_keys_and_refuses_new_ones_beyond",
    "logs.LINES_PER_SECOND": "logs::a_flood_of_lines_is_bounded_and_counted",
    "notices.PAYLOAD_LIMIT": "notices::notifications_fit_and_tell_everything",
    "notices.UNTOLD_LIMIT": "notices::more_than_is_remembered_means_look_again",
    "notices.PAYLOADS_LIMIT": "notices::what_does_not_fit_means_look_again",
    "observers.OBSERVERS_LIMIT": "handshakes::observers_beyond_the_memory_are_loaded_again",
    "revocations.ISSUERS_LIMIT": "limits_exact::so_many_issuers_and_certificates_are_remembered",
    "revocations.CERTIFICATES_NOTED": "limits_exact::so_many_issuers_and_certificates_are_remembered",
    "sessions.TOKEN_LIMIT": "limits_exact::a_token_has_so_many_octets",
    "sessions.KNOWN_LIMIT": "limits_exact::so_many_tokens_are_remembered_and_the_others_are_read_again",
    "signatures.NONCE_LENGTHS": "limits_exact::a_nonce_has_so_many_characters",
    "storage.encryption.KEY_SIZE": "encryption::a_key_file_has_exactly_one_key_and_one_reader",
    "entrance.WAIT_LIMIT": "overload::a_request_is_refused_that_waited_for_too_long_with_too_many_behind_it",
    "entrance.WAITING_LIMIT": "overload::a_request_is_refused_that_waited_for_too_long_with_too_many_behind_it",
    "storage.lane.WAIT_LIMIT": "overload::a_lane_refuses_once_its_oldest_request_has_waited_for_too_long",
    "storage.lane.QUEUE_ITEMS": "limits_exact::so_many_requests_wait_for_a_lane",
    "storage.lane.QUEUE_OCTETS": "store_port::requests_beyond_the_queue_are_refused_at_once",
    "transfers.SLOWEST": "transfers::who_is_slower_than_the_slowest_allowed_gives_way_after_its_grace",
    "transfers.GRACE": "transfers::who_is_slower_than_the_slowest_allowed_gives_way_after_its_grace",
    "wakeups.WATCHERS_PER_DEVICE": "abuse::the_longest_wait_of_a_device_ends_when_it_begins_too_many",
}

OWN = "how the service does its own work: no request is refused by it"
TOLD = "told to whom it concerns, and enforced for nobody"
NUMBER = "a name or a unit in the form of a number"
OTHERS = {
    OWN: """
        allowances.TELLING_INTERVAL allowances.SKEW blob_storage.CHUNK blob_storage.folder.THREADS
        blob_storage.folder.LOCKS blob_storage.s3.CONNECTIONS blob_storage.s3.RANGE blob_storage.s3.CONNECT_TIMEOUT
        blob_storage.s3.READ_TIMEOUT blob_storage.s3.ATTEMPTS eviction.GROUPS_AT_ONCE eviction.PROPOSED_AT_ONCE
        eviction.REST groups.JUDGEMENTS http.connections.OTHER_FILES limits.TOLD_PART migrations.LOCK_TIMEOUT
        migrations.TRIES notices.RETRY_AFTER notices.PING_INTERVAL notices.PING_TIMEOUT purge.LISTED_AT_ONCE
        readiness.STORE_PATIENCE readiness.FRESH revocations.REFRESH_INTERVAL revocations.RETRY_INTERVAL
        revocations.FETCH_TIMEOUT service.EXPIRY_INTERVAL service.MEMBERS_HEAR serving.GRACEFUL_SHUTDOWN
        storage.blobs.CHUNK
        storage.database.SERVER_FLOOR storage.database.CONNECT_TIMEOUT storage.ending.DELETED_AT_ONCE
        storage.operation.LOST_NUMBERS storage.rollback.SETTLED_AT_ONCE
        storage.postgresql.READING_LANES storage.postgresql.WRITING_LANES
        storage.postgresql.CHANGING_LANES storage.postgresql.APPENDING_LANES storage.postgresql.READ_BATCH
        storage.postgresql.WRITE_BATCH storage.postgresql.CHANGE_BATCH storage.postgresql.APPEND_BATCH
        storage.postgresql_append.TURNS storage.postgresql_link.SILENCE_LIMIT storage.lease.LEASE storage.lease.PATIENCE
        storage.watch.WATCH_INTERVAL storage.watch.SEARCH_INTERVAL storage.watch.LAST_BEAT
        storage.servers.SEARCH_TIMEOUT
        storage.postgresql_works.TURNS storage.postgresql_works.PAUSE storage.postgresql_works.PAUSE_LIMIT
        storage.retention.CHUNK storage.sqlite.WRITE_BATCH storage.sqlite.READ_BATCH
        storage.checkpoints.CHECKPOINT_PART storage.checkpoints.CHECKPOINT_PAGES
        storage.sqlite.WRITE_CACHE storage.sqlite.READ_CACHE
        wire.HEARTBEAT
    """,
    TOLD: """
        entrance.RETRY_AFTER http.connections.RETRY_AFTER http.problems.STORE_RETRY_AFTER limits.RETRY_AFTER
        storage.lane.RETRY_AFTER wire.KEY_PACKAGES_LOW_WATER
    """,
    NUMBER: """
        cli.EXIT_REFUSED eviction.NEVER framing.CIPHER_SUITE limits.HOUR notices.KEEPER policy.DAY
        storage.rollback.ROLLBACK storage.sqlite.SCHEMA_VERSION
    """,
}


def constants() -> set[str]:
    """Every public constant of a module that is a number, or computed from numbers and other constants."""
    return {
        f"{module(file)}.{target.id}"
        for file in SERVICE.rglob("*.py")
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.Assign) and is_number(node.value)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper() and not target.id.startswith("_")
    }


def module(file: Path) -> str:
    return ".".join(part for part in file.relative_to(SERVICE).with_suffix("").parts if part != "__init__")


def is_number(value: ast.expr) -> bool:
    parts = list(ast.walk(value))
    names = {part.id for part in parts if isinstance(part, ast.Name)}
    octets = [part.value for part in parts if isinstance(part, ast.Constant)]
    shaped = all(
        isinstance(part, ast.Constant | ast.Name | ast.BinOp | ast.operator | ast.Call | ast.Load) for part in parts
    )
    return (
        shaped
        and all(isinstance(each, int | float) for each in octets)
        and all(n.isupper() or n == "range" for n in names)
    )


def test_every_constant_is_a_limit_with_its_tests_or_says_what_it_is() -> None:
    others = [name for names in OTHERS.values() for name in names.split()]
    assert len(others) == len(set(others))
    assert not set(others) & set(LIMITS)
    assert {*others, *LIMITS} == constants()


@pytest.mark.parametrize("limit", LIMITS)
def test_the_tests_of_a_limit_are_there(limit: str) -> None:
    for each in LIMITS[limit].split():
        file, _, name = each.partition("::")
        text = (TESTS / f"test_{file}.py").read_text()
        assert re.search(rf"^(async )?def test_{name}\(", text, re.MULTILINE), each


def test_the_control_a_constant_that_nobody_listed_is_found() -> None:
    (assignment,) = ast.parse("PATIENCE = 60 * MINUTE").body
    assert isinstance(assignment, ast.Assign)
    assert is_number(assignment.value)
    (assignment,) = ast.parse("NAME = 'PATIENCE'").body
    assert isinstance(assignment, ast.Assign)
    assert not is_number(assignment.value)
