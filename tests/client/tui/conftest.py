"""The scene for tests of the whole terminal client."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.client.conftest import World
from tests.client.tui.shell_scene import Scene


@pytest.fixture
def scene(world: World, stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A world in which somebody sits before the terminal client."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    folder = tmp_path / "downloads"
    folder.mkdir()
    return Scene(world, stack, folder)
