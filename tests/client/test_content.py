"""MIMI content: the draft's own examples, the profile's vectors, and nothing but ContentError for anything else."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.errors import ContentError
from client.formats import cbor, content
from client.formats.cbor import Plain
from client.formats.content import Content, Expiration
from client.formats.framing import FRAMED_LIMIT, MIMI_TYPE, Framing, MediaType, encode_framing, unwrap
from client.formats.parts import PART_DEPTH_LIMIT, ExternalPart, MultiPart, NullPart, Part, Semantics, SinglePart
from identity.binding import MessageContext, ReceivedMessage, Verdict, verify_message
from identity.certificate_fields import load_certificate
from identity.certificates import ChainVerifier, TrustAnchors, leaf_public_point
from tests.vectors import make_content_vectors as maker

VECTORS = Path(__file__).parents[1] / "vectors"
DRAFT = json.loads((VECTORS / "mimi_content_draft.json").read_text())["examples"]
SENDER = "mimi://example.org/u/+12025550142"
ROOM = "mimi://example.org/g/cmluZ3RydWUgZ3JvdXAgMQ"
SALT = bytes(16)
ID = b"\x01" + bytes(31)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IDS = st.binary(min_size=31, max_size=31).map(lambda octets: b"\x01" + octets)
EXTERNAL_PARTS = st.builds(
    ExternalPart,
    content_type=TEXTS,
    url=TEXTS,
    size=st.integers(0, 2**53 - 1),
    key=st.binary(max_size=32),
    nonce=st.binary(max_size=12),
    content_hash=st.binary(max_size=32),
    filename=TEXTS,
    description=TEXTS,
    expires=st.integers(0, 2**32 - 1),
    disposition=st.integers(0, 255),
)
LEAVES = st.builds(SinglePart, TEXTS, st.binary(max_size=60), st.integers(0, 255)) | st.builds(NullPart)
FLAT = LEAVES | EXTERNAL_PARTS


def _multi(parts: st.SearchStrategy[Part]) -> st.SearchStrategy[MultiPart]:
    return st.builds(MultiPart, st.sampled_from(Semantics), st.lists(parts, min_size=2, max_size=3).map(tuple))


PARTS = FLAT | _multi(FLAT | _multi(FLAT))
EXTENSIONS = st.dictionaries(
    st.integers(3, 2**53 - 1) | st.integers(-(2**53) + 1, -1) | TEXTS.filter(bool),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS | st.binary(max_size=20),
        lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
        max_leaves=4,
    ).filter(lambda value: _depth(value) <= 3),
    max_size=4,
)
CONTENTS = st.builds(
    Content,
    sender_uri=st.just(SENDER),
    room_uri=st.just(ROOM),
    part=PARTS,
    replaces=st.none() | IDS,
    in_reply_to=st.none() | IDS,
    expires=st.none() | st.builds(Expiration, st.integers(0, 2**32 - 1), st.booleans()),
    topic=st.binary(max_size=64),
    extensions=EXTENSIONS,
    salt=st.binary(min_size=16, max_size=16),
)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _fields(**changes: Any) -> list[Any]:
    fields = {
        "salt": SALT,
        "replaces": None,
        "topic": b"",
        "expires": None,
        "in_reply_to": None,
        "extensions": {1: SENDER, 2: ROOM},
        "part": [1, "", 1, "text/plain;charset=utf-8", b"hello"],
    }
    return list({**fields, **changes}.values())


@pytest.mark.parametrize("name", DRAFT)
def test_the_drafts_examples_have_the_drafts_message_ids(name: str) -> None:
    octets = bytes.fromhex(DRAFT[name]["cbor"])
    decoded = content.from_cbor(octets)
    assert decoded.message_id.hex() == DRAFT[name]["message_id"]
    assert content.to_cbor(decoded) == octets


def test_the_vectors_are_what_their_script_makes() -> None:
    assert json.loads(maker.VECTORS.read_text()) == maker.vectors()


def test_the_attested_vector_verifies_and_reads() -> None:
    vector = json.loads(maker.VECTORS.read_text())["message"]
    carried = unwrap(bytes.fromhex(vector["attested"]))
    message = content.decode(carried.framed)
    chain = (bytes.fromhex(vector["device"]), bytes.fromhex(vector["issuer"]))
    anchors = TrustAnchors((load_certificate(bytes.fromhex(vector["root"])),))
    context = MessageContext(
        group_uri=maker.ROOM,
        group_id=maker.GROUP_ID,
        epoch=1,
        sender_leaf=0,
        sender_chain=chain,
        sender_key=leaf_public_point(chain[0]),
        own_number=maker.BOB,
        member_numbers=frozenset({maker.ALICE, maker.BOB}),
        arrived=maker.NOW + 1,
        sender_since=None,
    )
    received = ReceivedMessage(carried.passport, carried.framed, message.sender_uri, message.room_uri)
    verification = verify_message(received, context, ChainVerifier(anchors), lambda _: False)
    assert verification.verdict is Verdict.VERIFIED
    assert message.part == SinglePart(content.TEXT_TYPE, b"Watson, come here. I want to see you.")


@given(CONTENTS)
def test_what_was_encoded_comes_out_again(value: Content) -> None:
    framed = content.encode(value)
    decoded = content.decode(framed)
    assert decoded == value
    assert content.encode(decoded) == framed
    assert decoded.message_id == value.message_id


@given(st.binary(max_size=200))
def test_garbage_is_a_content_error(octets: bytes) -> None:
    with pytest.raises(ContentError):
        content.from_cbor(octets)
    with pytest.raises(ContentError):
        content.decode(encode_framing(Framing(MediaType(MIMI_TYPE), octets)))


@given(CONTENTS, st.data())
def test_a_changed_octet_is_a_content_error_or_another_message(value: Content, data: st.DataObject) -> None:
    octets = bytearray(content.to_cbor(value))
    position = data.draw(st.integers(0, len(octets) - 1))
    octets[position] ^= data.draw(st.integers(1, 255))
    try:
        changed = content.from_cbor(bytes(octets))
    except ContentError:
        return
    assert content.to_cbor(changed) == octets
    assert changed.message_id != value.message_id


@given(
    st.lists(
        st.none() | st.binary(max_size=32) | st.integers() | st.floats() | TEXTS | st.lists(st.integers(), max_size=3),
        min_size=7,
        max_size=7,
    )
)
def test_cbor_of_any_other_shape_is_a_content_error(fields: list[Any]) -> None:
    with pytest.raises(ContentError):
        content.from_cbor(cbor2.dumps(fields))


@pytest.mark.parametrize(
    "fields",
    [
        _fields(salt=bytes(15)),
        _fields(salt="0123456789abcdef"),
        _fields(replaces=bytes(32)),
        _fields(replaces=b"\x01" + bytes(30)),
        _fields(in_reply_to=b"\x02" + bytes(31)),
        _fields(topic=bytes(65)),
        _fields(topic=None),
        _fields(expires=[True]),
        _fields(expires=[1, 5]),
        _fields(expires=[False, 2**32]),
        _fields(expires=[False, True]),
        _fields(extensions={1: SENDER}),
        _fields(extensions={2: ROOM}),
        _fields(extensions={1: SENDER, 2: 5}),
        _fields(extensions={1: SENDER, 2: ""}),
        _fields(extensions={1: SENDER, 2: "mimi://exämple.org/r/1"}),
        _fields(extensions={1: SENDER + "\n", 2: ROOM}),
        _fields(extensions={1: SENDER, 2: ROOM, 3: [[[[5]]]]}),
        _fields(extensions={1: SENDER, 2: ROOM, 3: {"a": {"b": {"c": {}}}}}),
        _fields(extensions={1: SENDER, 2: ROOM, 3: 1.5}),
        _fields(extensions={1: SENDER, 2: ROOM, 3: 2**53}),
        _fields(extensions={1: SENDER, 2: ROOM, 2**53: 1}),
        _fields(extensions={1: SENDER, 2: ROOM, "": 1}),
        _fields(extensions={1: SENDER, 2: ROOM, "é" * 128: 1}),
        _fields(extensions={1: SENDER, 2: ROOM, **dict.fromkeys(range(3, 18), 0)}),
        _fields(part=None),
        _fields(part=[]),
        _fields(part=[1, ""]),
        _fields(part=[256, "", 0]),
        _fields(part=[True, "", 0]),
        _fields(part=[1, "e" * 128, 0]),
        _fields(part=[1, "", 0, 0]),
        _fields(part=[1, "", 1, "text/plain;charset=utf-8", "hello"]),
        _fields(part=[1, "", 2, "video/mp4", "https://example.org/1", 0, 0, 1, b"", b"", b"", 1, b"", ""]),
        _fields(part=[1, "", 3, 0, [[1, "", 0]]]),
        _fields(part=[1, "", 3, 3, [[1, "", 0], [1, "", 0]]]),
        _fields(part=[1, "", 3, 2, [[1, "", 0]] * 64]),
        _fields(part=[1, "", 4]),
        _fields()[:6],
        [*_fields(), None],
        {"salt": SALT},
    ],
)
def test_a_wrong_field_is_a_content_error(fields: Any) -> None:
    with pytest.raises(ContentError):
        content.from_cbor(cbor.encode(fields) if _plain(fields) else cbor2.dumps(fields))


def _plain(value: Any) -> bool:
    try:
        cbor.encode(value)
    except ContentError:
        return False
    return True


def test_the_fields_that_the_cases_above_change_are_sound() -> None:
    assert content.from_cbor(cbor.encode(_fields())).part == SinglePart(content.TEXT_TYPE, b"hello")


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        ("1801", "integer in two octets"),
        ("5f4101ff", "indefinite string"),
        ("9f01ff", "indefinite array"),
        ("bf0102ff", "indefinite map"),
        ("0101", "octets after the end"),
        ("a201010102", "duplicate key"),
        ("a202010101", "keys not in order"),
        ("a22001190100f6", "keys in RFC 7049 order"),
        ("a1f601", "key that is null"),
        ("a1f501", "key that is true"),
        ("a1810101", "key that is an array"),
        ("a1410101", "key that is a byte string"),
        ("c11a514b67b0", "a date"),
        ("c249010000000000000000", "a big integer"),
        ("d8235b", "a regular expression, cut short"),
        ("d823615b", "a regular expression"),
        ("d81c8100", "a shared value"),
        ("d81d00", "a shared reference"),
        ("d90102820102", "a set"),
        ("d9d9f701", "self-described CBOR"),
        ("d90fff01", "an unknown tag"),
        ("f93e00", "a float"),
        ("f97e00", "not a number"),
        ("f7", "undefined"),
        ("e0", "a simple value"),
        ("62ffff", "text that is not UTF-8"),
        ("63eda080", "text with a surrogate"),
        ("1b0020000000000000", "an integer beyond 2^53 - 1"),
        ("81" * 9 + "01", "nine arrays deep"),
        ("5b7fffffffffffffff", "a string longer than memory"),
        ("9b7fffffffffffffff", "an array longer than memory"),
        ("", "nothing"),
    ],
)
def test_cbor_beyond_the_profile_is_refused(octets: str, why: str) -> None:
    with pytest.raises(ContentError) as caught:
        cbor.decode(bytes.fromhex(octets), depth=8)
    assert caught.value.code == "malformed-cbor", why


@given(st.binary(max_size=60))
def test_cbor_has_one_form_for_each_value(octets: bytes) -> None:
    try:
        value = cbor.decode(octets, depth=8)
    except ContentError:
        return
    assert cbor.encode(value) == octets


def test_map_keys_are_in_bytewise_order_of_their_encodings() -> None:
    value: dict[int | str, Plain] = {"z": 0, "aa": 0, -1: 0, 300: 0, 10: 0}
    assert cbor.encode(value).hex() == "a5" + "0a00" + "19012c00" + "2000" + "617a00" + "62616100"


def test_parts_nest_four_deep_and_no_deeper() -> None:
    part: Part = NullPart()
    for _ in range(PART_DEPTH_LIMIT - 1):
        part = MultiPart(Semantics.PROCESS_ALL, (part, NullPart()))
    sound = Content(SENDER, ROOM, part)
    assert content.decode(content.encode(sound)) == sound
    with pytest.raises(ContentError):
        content.encode(replace(sound, part=MultiPart(Semantics.PROCESS_ALL, (part, part))))


def test_a_message_names_its_sender_and_room_or_is_not_sent() -> None:
    with pytest.raises(ContentError) as caught:
        content.encode(content.text("", ROOM, "hello"))
    assert caught.value.code == "uri"


def test_a_message_too_long_for_one_mls_message_is_not_sent() -> None:
    with pytest.raises(ContentError) as caught:
        content.encode(content.text(SENDER, ROOM, "x" * FRAMED_LIMIT))
    assert caught.value.code == "too-large"
    assert "several" in caught.value.hint


def test_a_lone_surrogate_is_not_sent() -> None:
    with pytest.raises(ContentError):
        content.text(SENDER, ROOM, "\ud800")


def test_two_messages_of_the_same_text_have_different_ids() -> None:
    first, second = (content.text(SENDER, ROOM, "hello") for _ in range(2))
    assert first.message_id != second.message_id


def test_an_edit_has_a_salt_of_its_own_and_keeps_the_reply() -> None:
    first = content.text(SENDER, ROOM, "helo", in_reply_to=ID)
    second = content.edit(first, first.message_id, "hello")
    assert second.salt != first.salt
    assert (second.replaces, second.in_reply_to) == (first.message_id, ID)


def test_a_title_comes_out_again() -> None:
    part = content.title(SENDER, ROOM, "Laboratory").part
    assert isinstance(part, SinglePart)
    assert content.title_of(part) == "Laboratory"


@pytest.mark.parametrize("body", [{}, {"title": ""}, {"title": 5}, {"title": "a", "x": 1}, {"title": "a" * 201}, "a"])
def test_a_title_of_another_shape_is_a_content_error(body: Any) -> None:
    with pytest.raises(ContentError):
        content.title_of(SinglePart(content.CHAT_TYPE, cbor.encode(body)))


@pytest.mark.parametrize("name", ["", "a" * 201])
def test_a_title_out_of_bounds_is_not_sent(name: str) -> None:
    with pytest.raises(ContentError):
        content.title(SENDER, ROOM, name)


@pytest.mark.parametrize("emoji", ["", "a" * 65])
def test_a_reaction_out_of_bounds_is_not_sent(emoji: str) -> None:
    with pytest.raises(ContentError):
        content.reaction(SENDER, ROOM, emoji, ID)


def test_keys_of_attachments_stay_out_of_logs() -> None:
    part = ExternalPart("image/png", "https://example.org/1", 1, b"secret key 12345", b"secret nonce", b"")
    assert "secret" not in repr(part)


def test_a_timer_is_a_number_of_seconds_within_its_limit() -> None:
    made = content.timer(SENDER, ROOM, 3600)
    assert content.timer_of(made.part) == 3600  # type: ignore[arg-type]
    assert content.timer_of(content.title(SENDER, ROOM, "club").part) is None  # type: ignore[arg-type]
    with pytest.raises(ContentError):
        content.timer(SENDER, ROOM, content.TIMER_LIMIT + 1)
    for wrong in (-1, True, "60", content.TIMER_LIMIT + 1):
        with pytest.raises(ContentError):
            content.timer_of(SinglePart(content.CHAT_TYPE, cbor.encode({"timer": wrong})))
