"""An account that has been used for years: many real groups, and a long history of real rows in the encrypted store.

The groups are real MLS groups of two; the rows go through the store's own door, each with content of its own. Only the
proof is that of one message which was really sent, because what is measured is how its rows are kept and found.
"""

import random
from collections.abc import Iterator

from client.formats.content import encode, text
from client.formats.reading import read
from client.records.message import Kind, Message, NewMessage
from client.records.rows import row_of
from client.session import Session
from client.steps.device import number_of
from client.steps.wired import Steps
from identity.binding import group_uri, user_uri

AT_ONCE = 2_000  # rows of one transaction
SPACING = 60  # seconds between two messages
WORDS = (
    "rope", "belay", "crux", "anchor", "summit", "weather", "dinner", "train", "ticket", "garden", "bicycle",
    "museum", "market", "river", "window", "kitchen", "paper", "lantern", "harbour", "orchard", "violin", "ladder",
    "compass", "meadow", "pepper", "saddle", "thunder", "velvet", "walnut", "yellow", "zigzag", "quarter",
)  # fmt: skip


async def fill(session: Session, friend: Session, chats: int, messages: int, now: int) -> None:
    """Give the account so many chats with the friend's device, and so many messages in all of them together.

    `session` and `friend` are in a chat in which the friend has written last.
    """
    sample = await _sample(session)
    key_packages = [await friend.worker.run(_key_package, friend.steps, now) for _ in range(chats)]
    groups = await session.worker.run(_make_groups, session.steps, key_packages, now)
    await session.worker.run(_write, session.steps, groups, sample, messages, now)


async def _sample(session: Session) -> Message:
    for chat in await session.chats():
        for message in await session.history(chat.group_id):
            if message.kind is Kind.RECEIVED and message.verification is not None:
                return message
    raise ValueError("the account has received no message yet")


def _key_package(steps: Steps, now: int) -> bytes:
    return steps.groups.engine.key_package(now, lifetime=86_400).message


def _make_groups(steps: Steps, key_packages: list[bytes], now: int) -> list[bytes]:
    """Groups that only this device knows: nothing of them is posted."""
    groups = []
    for number, key_package in enumerate(key_packages):
        group_id, _ = steps.committer.create(f"Chat {number}", [], now)
        steps.intents.forget_group(group_id)
        with steps.groups.step(group_id) as step:
            pending = step.group.commit(now, add=[key_package])
            step.group.apply(pending.secrets)
        groups.append(group_id)
    return groups


def _write(steps: Steps, groups: list[bytes], sample: Message, count: int, now: int) -> None:
    context = steps.history.context(sample)
    host, number = steps.groups.account.host, number_of(steps.groups.members(groups[0])[1])
    random_ = random.Random(7)  # noqa: S311 - the same history every time
    texts = _texts(random_)
    arrived = now - count * SPACING
    for start in range(0, count, AT_ONCE):
        with steps.store.transaction():
            for place in range(start, min(start + AT_ONCE, count)):
                group_id = groups[random_.randrange(len(groups))]
                content = text(user_uri(host, number), group_uri(host, group_id), next(texts))
                plain = NewMessage(
                    content.message_id.hex(),
                    group_id,
                    number,
                    "",
                    encode(content),
                    arrived + place * SPACING,
                    seq=place + 2,
                    at_ms=(arrived + place * SPACING) * 1000,
                    passport=sample.passport,
                    context=context,
                    verification=sample.verification,
                )
                row = row_of(content, read(content), plain, steps.groups.account.number)
                steps.chats.see(group_id, steps.history.add(Kind.RECEIVED, row, "", own=True).id)


def _texts(random_: random.Random) -> Iterator[str]:
    while True:
        words = [random_.choice(WORDS) for _ in range(random_.randrange(3, 40))]
        yield f"{' '.join(words)} {random_.randrange(10**6)}"
