"""`python -m lab.client_picture [FILE]`: opens the showcase's account in the terminal client and draws it as SVG."""

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, chdir
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import click

from client.config import Config
from client.desk.api import Api
from client.tui.app import RingtrueApp
from lab.showcase import Showcase, showcase

COLUMNS, ROWS = 116, 32
SHOWN = "Climbing"
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
PAUSE = 0.05  # seconds between two looks at whether the screen still changes
CALM = 12  # such pauses without a change: what was seen has been noted by then


@dataclass(frozen=True, slots=True)
class ShowcaseOpening:
    """The way to the showcase's account."""

    show: Showcase

    def exists(self) -> bool:
        """It does."""
        return True

    def asks(self) -> bool:
        """Nobody is asked: the passphrase is no secret."""
        return False

    @asynccontextmanager
    async def open(self, passphrase: str | None) -> AsyncIterator[Api]:
        """Open it, up to date."""
        async with self.show.world.desk("Alice") as desk:
            await desk.device.sync()
            yield desk

    def welcome(self) -> NoReturn:
        """There is no first run."""
        raise ValueError("the showcase's account exists")


async def draw(show: Showcase) -> str:
    """What the client shows of the account when its busiest chat has just been read."""
    config = replace(Config(theme="dark"), download_folder=show.downloads)
    opening = ShowcaseOpening(show)
    app = RingtrueApp(show.world.home("Alice"), config, opening=opening, clock=show.world.clock)
    app.animation_level = "none"
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        while not app.is_open or app.main.status_line.status is None:
            await pilot.pause(PAUSE)
        await app.open_chat(await app.api.chats.get(show.groups[SHOWN]))
        pictures = [""] * CALM
        while len(set(pictures[-CALM:])) > 1 or not pictures[-1]:
            await pilot.pause(PAUSE)
            pictures.append(app.export_screenshot(simplify=True))
    return _independent(pictures[-1])


def _independent(svg: str) -> str:
    """Without fonts from another host, and with names that do not depend on what is drawn."""
    svg = re.sub(r"\s*@font-face \{.*?\}\n", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+", "client", svg)
    return svg.replace("Fira Code, monospace", FONTS).replace("font-family: arial", f"font-family: {FONTS}")


@asynccontextmanager
async def in_a_folder_of_its_own() -> AsyncIterator[Showcase]:
    """Tell the story where no path depends on the machine, and in UTC."""
    os.environ["TZ"] = "UTC"
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    with TemporaryDirectory(prefix="ringtrue-showcase-") as folder, chdir(folder):
        async with showcase(Path()) as show:
            yield show


async def _drawn() -> str:
    async with in_a_folder_of_its_own() as show:
        return await draw(show)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=Path("docs/client.svg"))
def main(file: Path) -> None:
    """Draw the client into FILE."""
    file.write_text(asyncio.run(_drawn()), encoding="utf-8")
    click.echo(f"{file} drawn")


if __name__ == "__main__":
    main()
