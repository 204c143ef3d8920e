"""A person's shell: the real command in real processes, JSON Lines and exit codes."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client.storage.home import write_private
from identity.number import TelephoneNumber
from lab.world import World

ROOT = Path(__file__).parents[2]
MAIN = "from ringtrue import main; main()"


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.out.splitlines()]
        assert all(line["v"] == 1 for line in lines)
        assert self.out.isascii()
        return lines


class Shell:
    """A person's shell: their own account folder and passphrase file."""

    def __init__(self, world: World, folder: Path, number: str) -> None:
        self.world = world
        self.number = number
        self.folder = folder / number
        self.folder.mkdir(parents=True)
        self.home = self.folder / "home"
        write_private(self.folder / "passphrase", b"correct horse\n")
        self.env = {
            "PYTHONPATH": str(ROOT),
            "RINGTRUE_HOME": str(self.home),
            "RINGTRUE_PASSPHRASE_FILE": str(self.folder / "passphrase"),
            "LC_ALL": "C.UTF-8",
        }

    async def start(self, *args: str, **env: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            MAIN,
            *args,
            cwd=self.folder,
            env={**self.env, **env},
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )

    async def run(self, *args: str, stdin: bytes = b"", **env: str) -> Result:
        process = await self.start(*args, **env)
        out, err = await process.communicate(stdin)
        assert b"Traceback" not in err, err.decode()
        return Result(process.returncode or 0, out.decode(), err.decode())

    async def enroll(self) -> Result:
        services = ("--authority", self.world.authority_url, "--delivery", self.world.delivery_url)
        asked = await self.run("enroll", self.number, *services)
        assert asked.code == 8
        assert "--code-file" in asked.err
        write_private(self.folder / "code", self.world.codes.codes[TelephoneNumber.parse(self.number)].encode())
        return await self.run("enroll", self.number, *services, "--code-file", str(self.folder / "code"), "--json")
