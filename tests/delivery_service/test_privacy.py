"""docs/privacy.md describes every column that the service keeps, and nothing that it does not."""

import re
from pathlib import Path

import apsw
import pytest

from delivery_service.storage.sqlite import DATABASE_FILE, upgrade
from tests.delivery_service.conftest import running_world

TEXT = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text()
ROWS = re.findall(r"^\| `(\w+\.\w+)` \| (.+) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE)
NUMBERED = {"device", "inviter", "requester", "target"}  # columns whose name says that they hold a number
ALICE, BOB, CAROL = "+12025550142", "+12025550143", "+12025550144"


def columns() -> set[str]:
    db = apsw.Connection(":memory:")
    upgrade(db)
    tables = [
        name
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    ]
    found = {f"{table}.{row[1]}" for table in tables for row in db.execute(f"PRAGMA table_info({table})").fetchall()}
    db.close()
    return found


def test_every_column_is_described_once() -> None:
    described = [name for name, *_ in ROWS]
    assert sorted(described) == sorted(columns())


@pytest.mark.parametrize("name", sorted(columns()))
def test_what_holds_a_number_is_said_to(name: str) -> None:
    (what,) = (what for described, what, _, _ in ROWS if described == name)
    if name.partition(".")[2] in NUMBERED:
        assert "**number" in what


async def test_numbers_and_words_are_found_only_where_the_table_says(tmp_path: Path) -> None:
    async with running_world(tmp_path) as world:
        alice, bob, carol = [await world.device(number, packages=3) for number in (ALICE, BOB, CAROL)]
        group = await alice.create()
        await alice.add(group, BOB)
        await alice.say(group, b"meet me at noon")
        await bob.join()
        assert (await carol.choose("ask", ALICE)).status_code == 200
        assert (await bob.ask(CAROL)).status_code == 201
        await carol.decide(BOB, "block")
        await alice.add(group, CAROL)
    holding = {
        name
        for name, values in stored(tmp_path / DATABASE_FILE).items()
        if any(number.removeprefix("+").encode() in octets(value) for value in values for number in (ALICE, BOB, CAROL))
    }
    assert "memberships.device" in holding
    assert "first_contacts.target" in holding
    assert holding <= {name for name, what, _, _ in ROWS if "**number" in what}
    assert not any(b"noon" in octets(value) for values in stored(tmp_path / DATABASE_FILE).values() for value in values)


def stored(database: Path) -> dict[str, list[object]]:
    db = apsw.Connection(str(database))
    found = {}
    for name in columns():
        table, _, column = name.partition(".")
        found[name] = [row[0] for row in db.execute(f'SELECT "{column}" FROM {table}')]
    db.close()
    return found


def octets(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
