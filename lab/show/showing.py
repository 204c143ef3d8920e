"""Running the screen of the demo in a terminal or in a page, and what it leaves behind on a terminal."""

import asyncio
from dataclasses import replace

import click

from client.config import ThemeName, config_path, load_config
from lab.demo import Programme
from lab.narration import closing_words
from lab.show.app import ShowApp
from lab.show.pace import Pace


def show(
    programme: Programme, theme: ThemeName | None, pause: float | None, factor: float, *, in_browser: bool
) -> bool:
    """Show it until it ends or somebody quits; says whether all went as it must. Raises ConfigError."""
    config = load_config(config_path())
    if theme is not None:
        config = replace(config, theme=theme)
    return asyncio.run(_run(ShowApp(programme, config, Pace(factor, pause)), in_browser))


async def _run(app: ShowApp, in_browser: bool) -> bool:
    if in_browser:
        from client.tui.browser_driver import BrowserDriver

        app.driver_class = BrowserDriver
    succeeded = await app.run_async()
    if app.telling is not None and not app.telling.cancelled():
        app.telling.result()  # raises what made the story end before its end
    finished = app.scene.finished
    if finished is not None and not in_browser:
        click.echo(f"{closing_words(finished)}   {finished.seconds:.1f} s")
    return app.return_code == 0 and succeeded is not False
