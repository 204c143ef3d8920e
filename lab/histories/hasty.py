"""A delivery service that answers before it has saved, for a control: the checker must find what it loses.

`python -m lab.histories.hasty serve …` takes what `delivery serve` takes, for the embedded engine.
"""

import time
from typing import Any

from delivery_service.cli import delivery
from delivery_service.storage.sqlite import SqliteSession
from lab.seams.seam import Place

HEAD_START = 0.05  # seconds by which an answer precedes its COMMIT


def _hastily(transact: Any) -> Any:
    """Let every answer leave when its request has been carried out, and the transaction wait."""

    def hasty(session: Any, items: list[Any]) -> None:
        def answer() -> None:
            for item in items:
                if item.error is None and not item.future.done():
                    item.future.set_result(item.value)

        execute = session._connection.execute

        def delayed(statement: str, *values: Any) -> Any:
            if statement == "COMMIT":
                items[0].future.get_loop().call_soon_threadsafe(answer)
                time.sleep(HEAD_START)
            return execute(statement, *values)

        with Place(session, "_connection", lambda connection: _Delayed(connection, delayed)).exchanged():
            transact(session, items)

    return hasty


class _Delayed:
    """A connection whose statements take a detour."""

    def __init__(self, connection: Any, execute: Any) -> None:
        self._connection = connection
        self.execute = execute

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


if __name__ == "__main__":
    with Place(SqliteSession, "transact", _hastily).exchanged():
        delivery()
