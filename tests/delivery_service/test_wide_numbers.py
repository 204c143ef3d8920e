"""Numbers that no 64 bits of a database hold are the asker's fault: they are refused, and nothing else suffers."""

import msgspec
import pytest

from delivery_service.wire import JSON_TYPE, MLS_TYPE
from tests.delivery_service.conftest import World, path_of

pytestmark = pytest.mark.parametrize("world", ["folder", "postgresql"], indirect=True)

ALICE = "+12025550142"
WIDE = [2**63 - 1, 2**63, 2**64 - 1]


@pytest.mark.parametrize("epoch", WIDE)
async def test_an_epoch(world: World, epoch: int) -> None:
    alice = await world.device(ALICE)
    group = await alice.create()
    message = bytearray(group.encrypt(b"from far away"))
    start = message.index(group.group_id) + len(group.group_id)
    message[start : start + 8] = epoch.to_bytes(8)
    answer = await alice.post(f"{path_of(group.group_id)}/entries", bytes(message), MLS_TYPE)
    assert answer.status_code in (400, 409), answer.text
    assert (await alice.say(group, b"here")).seq == 1


@pytest.mark.parametrize("place", [*WIDE, 10**30, -1])
async def test_a_place_in_the_inbox_or_in_the_log(world: World, place: int) -> None:
    alice = await world.device(ALICE)
    group = await alice.create()
    answer = await alice.call("POST", "/v1/inbox/ack", msgspec.json.encode({"position": place}), JSON_TYPE)
    assert answer.status_code in (204, 400), answer.text
    report = {"seq": place, "commit": bytes(32), "signature": bytes(64)}
    answer = await alice.call("POST", f"{path_of(group.group_id)}/rejections", msgspec.json.encode(report), JSON_TYPE)
    assert answer.status_code in (400, 404), answer.text
    for path in (f"{path_of(group.group_id)}/entries?after={place}", f"/v1/inbox?after={place}"):
        assert (await alice.call("GET", path)).status_code in (200, 400)
