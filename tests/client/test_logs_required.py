"""A person who requires a log: what was logged goes on as before, and what no log vouches for proves nothing."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from client.desk.desk import Desk, open_desk
from client.errors import TrustError
from identity.authority.log.folder import FOLDER, read_log_key

from .conftest import ALICE, BOB, PASSPHRASE, World


@pytest.fixture
async def desks(world: World) -> AsyncIterator[list[Desk]]:
    async with AsyncExitStack() as stack:
        found = []
        for number in (ALICE, BOB):
            await world.enrol(number)
            opening = open_desk(
                world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
            )
            found.append(await stack.enter_async_context(opening))
            await found[-1].device.sync()
        yield found


def own_log(world: World) -> str:
    """What the operator of the authority prints: ringtrue authority log-key."""
    return read_log_key(world.folder / "authority" / FOLDER).decode()


def another_log() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


async def talking(alice: Desk, bob: Desk) -> str:
    await bob.people.know(ALICE.e164)
    chat = await alice.chats.direct(BOB.e164)
    await bob.device.sync()
    return chat.group


async def sent(alice: Desk, bob: Desk, group: str, text: str) -> None:
    await alice.messages.send(group, text)
    await alice.device.sync()
    await bob.device.sync()


async def test_what_was_logged_is_verified_and_says_since_when(world: World, desks: list[Desk]) -> None:
    alice, bob = desks
    group = await talking(alice, bob)
    await bob.trust.log("the authority's", own_log(world))
    assert (await bob.trust.policy(scts=1)).scts == 1

    await sent(alice, bob, group, "in the open")

    message = (await bob.messages.page(group))[-1]
    assert (message.text, message.proof and message.proof.verdict) == ("in the open", "verified")
    inspected = await bob.messages.inspect(message.row)
    assert f"; in a log since {int(world.clock())}" in inspected.checks[5].compared


async def test_what_no_known_log_vouches_for_fails_the_check_of_the_chain(world: World, desks: list[Desk]) -> None:
    alice, bob = desks
    group = await talking(alice, bob)
    await bob.trust.log("somebody else's", another_log())
    await bob.trust.policy(scts=1)

    await sent(alice, bob, group, "in the dark")

    (held,) = await bob.messages.quarantine()
    assert held.proof is not None
    assert (held.proof.verdict, held.proof.check and held.proof.check.name) == ("failed", "chain")
    await bob.trust.log("the authority's", own_log(world))
    await sent(alice, bob, group, "in the open again")
    assert (await bob.messages.page(group))[-1].text == "in the open again"


async def test_more_logs_than_are_known_cannot_be_required(world: World, desks: list[Desk]) -> None:
    with pytest.raises(TrustError, match="0 are known"):
        await desks[0].trust.policy(scts=1)
