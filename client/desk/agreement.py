"""What the members of a chat have said about its log, and whether they were heard from since they were added."""

from collections.abc import Sequence

import mls_rs
import msgspec

from client.defence.lies import FORKED_HINT
from client.defence.lookout import device_of
from client.defence.words_about_log import Word
from client.desk.views import AgreementView, MemberView
from client.errors import ChatError
from client.steps.device import number_of
from client.steps.wired import Steps

NOTHING_SAID = "has said nothing about this chat's log yet"


def agreement(steps: Steps, group_id: bytes, now: int) -> list[AgreementView]:
    """The last word of each other device that is a member now, by number. Raises ChatError."""
    words, names = steps.lookout.words.of(group_id), steps.groups.contacts.names()
    members = sorted(steps.groups.members(group_id), key=lambda member: (number_of(member).e164, member.index))
    with_words = ((member, words.get(device_of(member))) for member in members)
    own = steps.groups.own_index(group_id)
    return [_view(member, word, names, now) for member, word in with_words if member.index != own]


def with_words(
    steps: Steps, group_id: bytes, members: Sequence[mls_rs.Member], views: Sequence[MemberView], now: int
) -> list[MemberView]:
    """The views of these members, with what each was last heard to say."""
    words = steps.lookout.words.of(group_id)
    return [_with(view, words.get(device_of(member)), now) for member, view in zip(members, views, strict=True)]


def require_one_history(steps: Steps, group_id: bytes) -> None:
    """Before something is sent to a forked chat, ask once. Raises ChatError the first time."""
    if not steps.lookout.troubles.is_forked(group_id):
        return
    with steps.store.transaction():
        steps.lookout.troubles.go_on(group_id)
    raise ChatError(steps.lookout.troubles.marks()[group_id], code="forked", hint=FORKED_HINT)


def member_words(word: Word | None, now: int) -> str:
    """A device's last word about the log, as a line for a person."""
    if word is None or (word.agrees is None and not word.is_awaited):
        return NOTHING_SAID
    if word.is_overdue(now):
        return "⚠ not heard from since they were added: the invitation may not have been delivered; add them again"
    if word.is_awaited:
        return "not heard from yet"
    where = f"entry {word.seq} of epoch {word.epoch}"
    return f"✓ agrees up to {where}" if word.agrees else f"✗ was shown another history, up to {where}"


def _view(member: mls_rs.Member, word: Word | None, names: dict[str, str], now: int) -> AgreementView:
    number = number_of(member).e164
    return AgreementView(
        number=number,
        name=names.get(number),
        leaf=member.index,
        agrees=None if word is None else word.agrees,
        epoch=None if word is None else word.epoch,
        seq=None if word is None else word.seq,
        words=member_words(word, now),
    )


def _with(view: MemberView, word: Word | None, now: int) -> MemberView:
    if view.you and not view.other_device:
        return view
    awaited, overdue = word is not None and word.is_awaited, word is not None and word.is_overdue(now)
    return msgspec.structs.replace(view, log=member_words(word, now), awaited=awaited, overdue=overdue)
