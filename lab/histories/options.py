"""Options that the commands of campaigns share: how large the load is, and for how long it is disturbed."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from lab.histories.load import Size

Command = Callable[..., None]
_USUAL = Size()

seed = click.option("--seed", default=1, show_default=True, help="Settles what chance decides here.")
appends = click.option("--appends", default=0, show_default=True, help="Acknowledged between two kills, about.")
minutes = click.option(
    "--minutes", type=click.FloatRange(1), default=1440, show_default=True, help="After which it ends in any case."
)
history = click.option(
    "--history", type=click.Path(dir_okay=False, path_type=Path), help="Keep the history in this file."
)
_SIZE = (
    click.option("--people", default=_USUAL.people, show_default=True, help="Groups, each of one person's devices."),
    click.option("--devices", default=_USUAL.devices, show_default=True, help="Devices in each group."),
    click.option("--senders", default=_USUAL.senders, show_default=True, help="Connections that send to each group."),
    click.option("--committers", default=_USUAL.committers, show_default=True, help="Devices of each that commit."),
)


def sized(command: Command) -> Command:
    """Options for the size of the load, which the command takes as `size`."""

    @wraps(command)
    def with_size(*arguments: Any, people: int, devices: int, senders: int, committers: int, **others: Any) -> None:
        command(*arguments, size=Size(people, devices, senders, committers), **others)

    for option in reversed(_SIZE):
        with_size = option(with_size)
    return with_size


def pause(default: tuple[float, float]) -> Callable[[Command], Command]:
    """An option for the seconds from one kill to the next, at least and at most."""
    return click.option(
        "--pause", nargs=2, type=float, default=default, show_default=True, help="Between two kills, in seconds."
    )
