"""The terminal's bell, for what has come while a line is being typed: it disturbs no line, and says nothing."""

from collections.abc import Callable

from client.desk.told import MessageArrived, Quarantined, RequestArrived, Told
from client.plain.paper import Paper
from client.terminal.notifications import INTERVAL, is_due


class Bell:
    """Rings for what a person would be told of, if `wanted`; at most once in client.terminal.notifications.INTERVAL."""

    def __init__(self, paper: Paper, wanted: bool, clock: Callable[[], float]) -> None:
        self._paper = paper
        self._wanted = wanted
        self._clock = clock
        self._rung = clock() - INTERVAL

    def hear(self, told: Told) -> None:
        """Ring if this is worth it; messages of a muted chat are not."""
        worth = told.alert if isinstance(told, MessageArrived) else isinstance(told, RequestArrived | Quarantined)
        if self._wanted and worth and is_due(self._clock(), self._rung, 1):
            self._rung = self._clock()
            self._paper.ring()
