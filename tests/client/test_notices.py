"""What a commit did is told of people as people, and of devices as devices."""

import pytest

from client.events import MembersChanged
from client.words.notices import notice

from .conftest import ALICE, BOB, CAROL


def changed(**fields: object) -> MembersChanged:
    given = {
        "group_id": b"",
        "name": "plans",
        "epoch": 2,
        "committer": ALICE,
        "added": (),
        "removed": (),
        "left": (),
        "renewed": (),
        "removed_self": False,
        **fields,
    }
    return MembersChanged(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"added": (BOB, CAROL)}, f"{ALICE} added {BOB}, {CAROL}."),
        ({"added": (BOB, BOB)}, f"{ALICE} added {BOB}."),
        ({"added": (ALICE,), "staying": {ALICE}}, f"{ALICE} added another device."),
        ({"added": (BOB,), "staying": {BOB}}, f"{ALICE} added another device of {BOB}."),
        ({"added": (ALICE, BOB), "staying": {ALICE}}, f"{ALICE} added {BOB}. {ALICE} added another device."),
        ({"removed": (BOB,)}, f"{ALICE} removed {BOB}."),
        ({"removed": (BOB,), "staying": {BOB}}, f"{ALICE} removed a device of {BOB}."),
        ({"removed": (ALICE,), "staying": {ALICE}}, f"{ALICE} removed another device."),
        ({"removed": (CAROL,), "staying": {CAROL}}, f"{ALICE} removed a device of yours."),
        ({"removed": (CAROL,), "removed_self": True}, f"{ALICE} removed you."),
        ({"removed": (CAROL,), "removed_self": True, "staying": {CAROL}}, f"{ALICE} removed this device."),
        ({"removed": (BOB,), "left": (BOB,)}, f"{BOB} left."),
        ({"removed": (BOB,), "left": (BOB,), "staying": {BOB}}, f"A device of {BOB} left."),
        ({"removed": (CAROL,), "left": (CAROL,), "removed_self": True}, "You left."),
        ({"promoted": (BOB,)}, f"{ALICE} made {BOB} an admin."),
        ({}, ""),
    ],
)
def test_one_line_says_what_happened(fields: dict[str, object], words: str) -> None:
    fields = {**fields, "staying": frozenset(fields.get("staying", ()))}  # type: ignore[call-overload]
    assert notice(changed(**fields), CAROL) == words
