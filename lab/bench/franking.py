"""Franking against the primitives in it, with what real clients and a real service gave it; its share of the whole."""

import asyncio
import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from types import ModuleType
from typing import Any

import click
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import client.defence.franking
import delivery_service.franking
from client.steps import sending
from lab.bench.end_to_end import WARM_UP, send_and_receive, timed
from lab.bench.passport import QUICK_ROUNDS, ROUNDS, interleaved
from lab.bench.rows import Aim, Row, table
from lab.casting import cast
from lab.world import World

MESSAGES, QUICK_MESSAGES = 300, 20
TBS = bytes(220)  # about what the service signs
ES256 = ec.ECDSA(hashes.SHA256())
Call = Callable[[], object]

TAGGED = (sending, "tagged")
FRANK = (delivery_service.franking.Franking, "frank")
CHECK = (client.defence.franking.Franking, "check")


def run(quick: bool = False) -> list[Row]:
    """Alice sends, Bob receives, in a group of four; then each step again by itself, with what it was given last."""
    return asyncio.run(_run(*((QUICK_MESSAGES, QUICK_ROUNDS) if quick else (MESSAGES, ROUNDS))))


async def _run(messages: int, rounds: int) -> list[Row]:
    async with World() as world:
        stage = await cast(world)
        alice, bob, _ = stage.people
        with timed(*TAGGED) as tagging, timed(*FRANK) as franking, timed(*CHECK) as checking:
            whole = [await send_and_receive(alice, bob, stage.group) for _ in range(WARM_UP + messages)]
        with last_call(*TAGGED) as tag, last_call(*FRANK) as frank, last_call(*CHECK) as check:
            await send_and_receive(alice, bob, stage.group)
        rows = _against_primitives(tag[-1], frank[-1], check[-1], rounds)
    share = sum(1_000 * median(times[WARM_UP:]) for times in (tagging, franking, checking))
    computing = 1_000 * median(computed for _, computed in whole[WARM_UP:])
    limit, note = Aim("ratio", "at most", 0.05), "as it runs there, between everything else"
    return [
        *rows,
        Row("franking's share of the CPU time", share, "µs", 4, "CPU, clients and service", computing, limit, note),
    ]


def _against_primitives(tag: Call, frank: Call, check: Call, rounds: int) -> list[Row]:
    key = ec.generate_private_key(ec.SECP256R1())
    signature, public = key.sign(TBS, ES256), key.public_key()
    tags = interleaved(rounds, tag, lambda: hmac.digest(TBS[:16], TBS, "sha256"))
    franks = interleaved(rounds, frank, lambda: key.sign(TBS, ES256))
    checks = interleaved(rounds, check, lambda: public.verify(signature, TBS, ES256))
    note = "beside the signature: the URIs of sender and room, their encoding, two HMACs"
    return [
        Row("tag, by the sender", tags[0], "µs", None, "HMAC", tags[1]),
        Row("frank, by the service", franks[0], "µs", None, "P-256 sign", franks[1], Aim("ratio", "at most", 2), note),
        Row(
            "tag and frank checked",
            checks[0],
            "µs",
            None,
            "P-256 verify",
            checks[1],
            Aim("ratio", "at most", 1.4),
            note,
        ),
    ]


@contextmanager
def last_call(owner: ModuleType | type, name: str) -> Iterator[list[Call]]:
    """Keep each call of a function, of a module or a class, so that it can be made again."""
    original, calls = getattr(owner, name), []

    def kept(*arguments: Any, **named: Any) -> Any:
        calls.append(lambda: original(*arguments, **named))
        return original(*arguments, **named)

    setattr(owner, name, kept)
    try:
        yield calls
    finally:
        setattr(owner, name, original)


if __name__ == "__main__":
    click.echo(table(run()))
