"""Franking as it runs between sending and receiving, against the primitives in it, and its share of the whole."""

import asyncio
import hmac
import time
from collections.abc import Callable
from statistics import median

import click
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import client.franking
import delivery_service.franking
from client import sending
from lab.bench.end_to_end import WARM_UP, send_and_receive, timed
from lab.bench.rows import Aim, Row, table
from lab.casting import cast
from lab.world import World

MESSAGES, QUICK_MESSAGES = 300, 20
FLOOR_ROUNDS = 2_000
FRAMED, TBS = bytes(300), bytes(220)  # about what a short message and what the service signs have
ES256 = ec.ECDSA(hashes.SHA256())
SHARE = Aim("ratio", "at most", 0.05)


def run(quick: bool = False) -> list[Row]:
    """Alice sends, Bob receives, in a group of four; each step is timed where the product calls it."""
    return asyncio.run(_run(QUICK_MESSAGES if quick else MESSAGES))


async def _run(messages: int) -> list[Row]:
    async with World() as world:
        stage = await cast(world)
        alice, bob, _ = stage.people
        with (
            timed(sending, "tagged") as tagging,
            timed(delivery_service.franking.Franking, "frank") as franking,
            timed(client.franking.Franking, "check") as checking,
        ):
            whole = [await send_and_receive(alice, bob, stage.group) for _ in range(WARM_UP + messages)]
    tag, frank, check = (1_000 * median(times[WARM_UP:]) for times in (tagging, franking, checking))
    computing = 1_000 * median(computed for _, computed in whole[WARM_UP:])
    key = ec.generate_private_key(ec.SECP256R1())
    signature, public = key.sign(TBS, ES256), key.public_key()
    note = "beside the signature: URIs, the encoding of the context, two HMACs"
    return [
        Row("tag, by the sender", tag, "µs", None, "HMAC", _floor(lambda: hmac.digest(TBS[:16], FRAMED, "sha256"))),
        Row("frank, by the service", frank, "µs", None, "P-256 sign", _floor(lambda: key.sign(TBS, ES256)), note=note),
        Row(
            "tag and frank checked, by a recipient",
            check,
            "µs",
            None,
            "P-256 verify",
            _floor(lambda: public.verify(signature, TBS, ES256)),
            note=note,
        ),
        Row(
            "franking's share of the CPU time",
            tag + frank + check,
            "µs",
            4,
            "CPU, clients and service",
            computing,
            SHARE,
        ),
    ]


def _floor(function: Callable[[], object]) -> float:
    """The median of a primitive in microseconds."""
    times = []
    for _ in range(FLOOR_ROUNDS):
        started = time.perf_counter_ns()
        function()
        times.append((time.perf_counter_ns() - started) / 1_000)
    return median(times)


if __name__ == "__main__":
    click.echo(table(run()))
