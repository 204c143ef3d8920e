"""Keys that every replica of a service has: from another one, each client would get other answers and ask why."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from delivery_service.errors import StartError
from delivery_service.storage import replicas
from delivery_service.storage.engine import Engine


async def check_files(engine: Engine, folder: Path | None, files: Mapping[str, str]) -> None:
    """Raises StartError when the database knows a key that is not in the folder; `files`: name and file of each key.

    Before the first start a service makes its keys. After it, a folder without them belongs to a replica that was not
    given them, or lost them.
    """
    if folder is None:
        return
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"the folder for keys, {folder}, cannot be made: {error}") from error
    known = await engine.read(replicas.registered)
    for name, file in files.items():
        if name in known and not (folder / file).exists():
            raise StartError(
                f"the service has a {name} key, and {folder / file} is missing: "
                f"copy {file} from another replica's folder, or from a backup"
            )


async def check_key(engine: Engine, name: str, public: bytes) -> None:
    """Raises StartError when the service has another key of that name; the first one becomes the service's."""
    digest = hashlib.sha256(public).digest()
    if await engine.write(replicas.register, name, digest) != digest:
        raise StartError(
            f"the {name} key of this folder is not the one that the service has: copy {name}.key from another "
            "replica's folder, or from a backup"
        )
