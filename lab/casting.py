"""Who is who, and how the stage is set."""

import asyncio
from collections.abc import Sequence

from lab.mallory import Mallory
from lab.people import Person
from lab.stage import Stage
from lab.world import World

FRIENDS = {"Alice": "+12025550101", "Bob": "+12025550102", "Carol": "+12025550103"}
MALLORY = "+12025550199"
GROUP_NAME, OTHER_GROUP_NAME = "Climbing", "Street party"
KEY_PACKAGES = 4  # of Mallory: one for each group, and some to spare


async def enrol(world: World, name: str, number: str) -> Person:
    """Let somebody prove a number."""
    session = await world.person(name, number)
    return Person(name, session.account.number, session)


async def set_stage(world: World, people: Sequence[Person], mallory: Mallory) -> Stage:
    """Make two groups: Alice, Bob, Carol and later Mallory; and Alice, Carol and Mallory."""
    alice, bob, carol = people
    group = (await alice.session.create_chat(GROUP_NAME, [bob.number, carol.number])).group_id
    for person in (bob, carol):
        await person.session.receive()
        await person.accept(group, alice.number)
    await alice.session.receive()
    began = int(world.clock())
    await mallory.publish_key_packages(KEY_PACKAGES)
    await alice.session.add(group, [mallory.number])
    other_group = (await alice.session.create_chat(OTHER_GROUP_NAME, [carol.number, mallory.number])).group_id
    await asyncio.gather(*(person.session.receive() for person in people))
    await carol.accept(other_group, alice.number)
    await mallory.join()
    return Stage(world, people, mallory, group, other_group, (alice, carol), began)


async def cast(world: World) -> Stage:
    """Enrol everybody and set the stage."""
    people = [await enrol(world, name, number) for name, number in FRIENDS.items()]
    return await set_stage(world, people, await world.mallory(MALLORY))
