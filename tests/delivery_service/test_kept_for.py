"""How long things are kept is the operator's decision, and every answer says that time and no other."""

from delivery_service.policy import Policy
from tests.delivery_service.blob_scene import ALICE, begun, finish, name_of, opening, put
from tests.delivery_service.conftest import running_world
from tests.delivery_service.test_ending import couple, end

QUARTER = 90 * 86_400


async def test_a_blob() -> None:
    async with running_world(None, policy=Policy(retention=QUARTER)) as world:
        alice = await world.device(ALICE)
        octets = b"kept for longer"
        upload = await begun(alice, octets)
        await put(alice, upload, 0, octets)
        assert (await finish(alice, upload)).json()["expires_at"] == alice.now + QUARTER
        assert (await opening(alice, name_of(octets), len(octets))).json()["expires_at"] == alice.now + QUARTER


async def test_a_group_with_a_successor() -> None:
    async with running_world(None, policy=Policy(retention=QUARTER)) as world:
        alice, _, group, _ = await couple(world)
        ended = await end(alice, group.group_id, (await alice.create()).group_id)
        assert ended.json()["deletes_at"] == alice.now + QUARTER
