"""Admission of one message: facts gathered from an encrypted store, and the decision, beside its queries alone."""

import asyncio
from collections.abc import Callable
from typing import Any

import click

from client.defence.admission import Admitted, Place
from client.defence.admitting import Admitting
from client.defence.rules import RULES_LIMIT, default_toml
from client.session import Session
from client.storage.store import Store
from identity.number import TelephoneNumber
from lab.bench.end_to_end import send_and_receive
from lab.bench.franking import last_call
from lab.bench.passport import QUICK_ROUNDS, ROUNDS, interleaved
from lab.bench.rows import Aim, Row, table
from lab.casting import cast
from lab.world import World

CONTACTS, QUICK_CONTACTS = 1_000, 50
RULES = 50
AIM = Aim("ours", "at most", 20)  # µs
Change = Callable[[TelephoneNumber], None]


def run(quick: bool = False) -> list[Row]:
    """Alice sends, Bob receives, in a group of four; then the decision by itself, for each standing of Alice's."""
    return asyncio.run(_run(*((QUICK_CONTACTS, QUICK_ROUNDS) if quick else (CONTACTS, ROUNDS))))


async def _run(contacts: int, rounds: int) -> list[Row]:
    async with World() as world:
        stage = await cast(world)
        alice, bob, _ = stage.people
        _fill(bob.session, contacts)
        with last_call(Admitting, "message") as calls:
            await send_and_receive(alice, bob, stage.group)
        known = bob.session.steps.groups.contacts
        standings: list[tuple[str, Change, Place]] = [
            ("a contact", known.accept, Place.INBOX),
            ("a blocked number, counted", known.block, Place.QUARANTINE),
            ("a stranger", known.unblock, Place.INBOX),
        ]
        rows = []
        for words, change, place in standings:
            change(alice.number)
            ours, floor = _measured(bob.session.steps.store, calls[-1], place, rounds)
            note = f"{contacts} contacts, {RULES} rules, of which {RULES - _defaults()} are about prefixes"
            rows.append(Row(f"admission, {words}", ours, "µs", contacts, "its queries", floor, AIM, note))
        return rows


def _fill(session: Session, contacts: int) -> None:
    """A store as after years: contacts, each in a chat with two others, and a long list of rules of one's own."""
    steps, own = session.steps, session.account.number
    with steps.store.transaction():
        for place in range(contacts):
            number = TelephoneNumber.from_digits(f"4420{place:08d}")
            steps.groups.contacts.accept(number)
            group_id = place.to_bytes(16)
            steps.chats.add(group_id, str(number), b"", b"", 0, 0, session.now())
            steps.chats.list_members(group_id, [own.e164, number.e164, f"+4421{place:08d}"])
        steps.admitting.use("\n".join([*map(_own_rule, range(RULES - _defaults())), default_toml()]), session.now())


def _own_rule(place: int) -> str:
    prefixes = ", ".join(f'"+49{place:02d}{digit}"' for digit in range(5))
    return f'[[rule]]\nname = "country {place}"\nnumbers = [{prefixes}]\nplace = "quarantine"\n'


def _defaults() -> int:
    return default_toml().count("[[rule]]")


def _measured(store: Store, admit: Callable[[], object], place: Place, rounds: int) -> tuple[float, float]:
    """Medians in µs of a decision and of its queries alone, inside a transaction as when a batch is received."""
    with store.transaction():
        queries: list[Callable[[], Any]]
        with last_call(Store, "_run") as queries:
            admitted = admit()
        assert isinstance(admitted, Admitted)
        assert admitted.place is place, admitted
        return interleaved(rounds, admit, lambda: [query().fetchone() for query in queries])


if __name__ == "__main__":
    assert RULES <= RULES_LIMIT
    click.echo(table(run()))
