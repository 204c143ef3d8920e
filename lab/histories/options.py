"""Options that the commands of campaigns share: how large the load is, and for how long it is disturbed."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from lab.histories.load import Size

Command = Callable[..., None]

seed = click.option("--seed", default=1, show_default=True, help="Settles what chance decides here.")
appends = click.option("--appends", default=0, show_default=True, help="Acknowledged between two kills, about.")
minutes = click.option(
    "--minutes", type=click.FloatRange(1), default=1440, show_default=True, help="After which it ends in any case."
)
history = click.option(
    "--history", type=click.Path(dir_okay=False, path_type=Path), help="Keep the history in this file."
)
_SIZE = {
    "people": "Groups, each of one person's devices.",
    "devices": "Devices in each group.",
    "senders": "Connections that send to each group.",
    "committers": "Devices of each group that commit.",
    "calm": "Times as rare as usual are commits, uploads and claims.",
}


def sized(command: Command) -> Command:
    """Options for the size of the load, which the command takes as `size`."""

    @wraps(command)
    def with_size(**values: Any) -> None:
        facts = {name: values.pop(name) for name in _SIZE}
        command(size=Size(**facts), **values)

    for name, meaning in reversed(_SIZE.items()):
        with_size = click.option(f"--{name}", default=getattr(Size(), name), show_default=True, help=meaning)(with_size)
    return with_size


def pause(default: tuple[float, float]) -> Callable[[Command], Command]:
    """An option for the seconds from one kill to the next, at least and at most."""
    return click.option(
        "--pause", nargs=2, type=float, default=default, show_default=True, help="Between two kills, in seconds."
    )
