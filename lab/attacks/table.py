"""The catalogue as a table of docs/threat-model.md: `python -m lab.attacks.table` writes it there."""

from pathlib import Path

from lab.attacks.attack import Attack
from lab.attacks.catalogue import ATTACKS
from lab.attacks.outcome import Guard, Keeper

DOCUMENT = Path(__file__).parents[2] / "docs" / "threat-model.md"
BEGIN = "<!-- The table is written by `python -m lab.attacks.table`. -->"
END = "<!-- Here ends what is written by `python -m lab.attacks.table`. -->"
HEAD = """\
| attack | what the attacker has | stopped by | without that also stopped by | what a recipient sees |
|---|---|---|---|---|
"""
_KEEPERS = {
    Keeper.ADMISSION: "admission: “{}”",
    Keeper.ALARM: "alarm: `{}`",
    Keeper.AUTHORITY: "authority: `{}`",
    Keeper.CERTIFICATION: "certification: `{}`",
    Keeper.DISPLAY: "client: `{}`",
    Keeper.ENGINE: "engine: `{}`",
    Keeper.LINKING: "linking: `{}`",
    Keeper.REVOCATIONS: "revocations: `{}`",
    Keeper.SERVICE: "service: `{}`",
    Keeper.WITNESS: "log: `{}`",
}


def table() -> str:
    """Every attack as one row, in the catalogue's order."""
    return HEAD + "".join(map(_row, ATTACKS))


def written_into(document: str) -> str:
    """The document with the present table between its two marks. Raises ValueError if they are not there once each."""
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


def _row(attack: Attack) -> str:
    also = ", ".join(map(_words, attack.also)) or "–"
    cells = (f"{attack.title} (`{attack.name}`)", attack.has, _words(attack.guard), also, attack.sees)
    return f"| {' | '.join(cells)} |\n"


def _words(guard: Guard) -> str:
    if guard.keeper is Keeper.CHECK:
        return str(guard)
    if guard.keeper is Keeper.AUTHORITY and guard.rule.isdigit():
        return f"authority: report check {guard.rule}"
    if guard.keeper is Keeper.CERTIFICATION and guard.rule.isdigit():
        return f"certification: token check {guard.rule}"
    return _KEEPERS[guard.keeper].format(guard.rule)


if __name__ == "__main__":
    DOCUMENT.write_text(written_into(DOCUMENT.read_text("utf-8")), "utf-8")
