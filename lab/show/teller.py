"""Telling the story onto a scene: at its pace, and with what somebody chooses in between."""

from collections.abc import Callable
from contextlib import aclosing

from lab.attacks.catalogue import ATTACKS
from lab.demo import Programme, play, rehearse
from lab.show.pace import Pace
from lab.show.scene import Scene
from lab.story import (
    Attacking,
    AttacksBegin,
    Attempted,
    Enrolled,
    Event,
    Finished,
    GroupMade,
    Opened,
    Reported,
    Spoke,
    Struck,
    WaveBegins,
    WaveEnds,
)
from lab.wave import WAVE, crowd, waves

BLINK = 0.05  # seconds from one check to the next
FOREVER = 86_400.0  # seconds
USUAL: dict[type[Event], float] = {  # seconds that an event stays in view
    Opened: 0.6,
    Enrolled: 0.5,
    GroupMade: 0.3,
    Spoke: 0.5,
    AttacksBegin: 1.5,
    Attacking: 0.6,
    Attempted: 1.0,
    WaveBegins: 1.6,
    Struck: 0.3,
    Reported: 1.5,
    WaveEnds: 1.8,
    Finished: 6.0,
}
BY_NAME = {attack.name: attack for attack in ATTACKS}


class Teller:
    """`changed` is called whenever the scene is another one."""

    def __init__(self, programme: Programme, scene: Scene, pace: Pace, changed: Callable[[], None]) -> None:
        self._programme = programme
        self._scene = scene
        self._pace = pace
        self._changed = changed
        self._chosen: list[str] = []

    def choose(self, name: str) -> None:
        """Play this attack, or the wave, as soon as what is on the stage has been shown."""
        self._chosen.append(name)
        self._pace.step()

    async def tell(self, stays: Callable[[], bool]) -> None:
        """Tell it all; afterwards, for as long as it `stays`, play what is chosen."""
        async with aclosing(play(self._programme)) as events:
            async for event in events:
                await self._show(event)
        while stays():
            await self._pace.rest(FOREVER)
            await self._play_chosen()

    async def _show(self, event: Event) -> None:
        await self._happen(event)
        await self._pace.rest(USUAL[type(event)])
        await self._play_chosen()

    async def _happen(self, event: Event) -> None:
        self._scene.take(event)
        self._changed()
        if isinstance(event, Attempted):
            await self._light()

    async def _light(self) -> None:
        """Let the checks be seen one by one."""
        outcome = self._scene.outcome
        for _ in () if outcome is None else outcome.checks:
            self._scene.lit += 1
            self._changed()
            await self._pace.blink(BLINK)
        self._scene.settle()
        self._changed()

    async def _play_chosen(self) -> None:
        while self._chosen:
            name = self._chosen.pop(0)
            if name == WAVE:
                await self._play_wave()
            else:
                await self._play_alone(name)
            self._pace.paused = True
            self._changed()
            await self._pace.rest(FOREVER)

    async def _play_alone(self, name: str) -> None:
        attack = BY_NAME[name]
        self._scene.begin_alone(attack)
        self._changed()
        self._scene.end_alone(attack, await rehearse(attack))
        await self._light()

    async def _play_wave(self) -> None:
        async with crowd() as people, aclosing(waves(people)) as events:
            async for event in events:
                await self._happen(event)
                await self._pace.blink(USUAL[type(event)])
