"""verify_message never raises, whatever a message, its sender's chain or its context hold, and never verifies chaos."""

from hypothesis import given
from hypothesis import strategies as st

from identity.binding import MessageContext, ReceivedMessage, Verdict
from tests.identity.conftest import ALICE, BOB, NOW, Authority, honest_scene

AUTHORITY = Authority()
short = st.binary(max_size=100)


@given(passport=short | st.none(), framed=short, sender=st.none() | st.text(), room=st.none() | st.text())
def test_any_message(passport: bytes | None, framed: bytes, sender: str | None, room: str | None) -> None:
    scene = honest_scene(AUTHORITY)
    scene.message = ReceivedMessage(passport, framed, sender, room)
    verification = scene.verify()
    assert verification.verdict is (Verdict.UNSIGNED if passport is None else Verdict.FAILED)
    assert len(verification.checks) == 15


@given(chain=st.lists(short, max_size=5).map(tuple), key=short)
def test_any_chain_of_the_sender(chain: tuple[bytes, ...], key: bytes) -> None:
    scene = honest_scene(AUTHORITY)
    scene.change_context(sender_chain=chain, sender_key=key)
    verification = scene.verify()
    assert (verification.verdict, verification.number) == (Verdict.FAILED, None)
    scene.change_message(passport=None)
    assert scene.verify().verdict is (Verdict.UNSIGNED if chain and key else Verdict.FAILED)


@given(
    uri=st.text(), group_id=short, epoch=st.integers(), leaf=st.integers(), arrived=st.integers(), since=st.integers()
)
def test_any_context(uri: str, group_id: bytes, epoch: int, leaf: int, arrived: int, since: int) -> None:
    scene = honest_scene(AUTHORITY)
    honest = scene.context
    chain, key, members = honest.sender_chain, honest.sender_key, frozenset({ALICE, BOB})
    scene.context = MessageContext(uri, group_id, epoch, leaf, chain, key, BOB, members, arrived, since)
    assert scene.verify().verdict is Verdict.FAILED
    scene.context = honest
    scene.change_context(arrived=arrived, sender_since=since)
    verification = scene.verify()
    if verification.verdict is not Verdict.FAILED:
        assert arrived >= NOW - 60
        assert since <= NOW + 60


@given(position=st.integers(0, 700), octets=st.binary(max_size=2), removed=st.integers(0, 2), framed=st.booleans())
def test_any_change_to_an_honest_message_fails(position: int, octets: bytes, removed: int, framed: bool) -> None:
    scene = honest_scene(AUTHORITY)
    original = scene.message.framed if framed else scene.message.passport
    assert original is not None
    changed = original[:position] + octets + original[position + removed :]
    scene.change_message(**{"framed" if framed else "passport": changed})
    assert scene.verify().verdict is (Verdict.VERIFIED if changed == original else Verdict.FAILED)
