"""The calls about the devices of this account's number."""

from client.credentials.devices import OwnDevice
from client.credentials.linking import LinkProgress
from client.credentials.siblings import SiblingState
from client.desk.api import Devices
from client.desk.device_views import LeftOutView, LinkView, OwnDeviceView
from client.desk.roster import KEY_WORDS
from client.desk.showing import moment
from client.desk.works import Works
from client.errors import LinkError

PATIENCE = 20  # seconds that a question for what is new waits
_LINKED = {
    SiblingState.GRANTED: "linked with this one, and not ready yet",
    SiblingState.REMOVED: "removed by you",
}


class DeskDevices(Devices):
    """client.desk.api.Devices over a session."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._linking = works.session.linking

    async def all(self, ask: bool = False) -> list[OwnDeviceView]:
        with self._works.in_flight("asking for the number's certificates" if ask else "looking at the devices"):
            return [_device(each) for each in await self._works.session.devices.all(ask=ask)]

    async def remove(self, key: str, lost: bool = False) -> list[OwnDeviceView]:
        with self._works.in_flight("removing a device"):
            await self._works.session.devices.remove(key, lost=lost)
        self._works.tell()
        return await self.all()

    async def link(self) -> LinkView:
        with self._works.in_flight("beginning to link a device"):
            return _link(await self._linking.start())

    async def linking(self, seen: int | None = None) -> LinkView:
        waited = self._linking.progress if seen is None else await self._linking.changed(seen, PATIENCE)
        if waited is None:
            raise LinkError("no device is being linked", code="not-linking", hint="Begin: ringtrue devices add")
        if waited.state.is_over:
            self._works.tell()
        return _link(waited)

    async def agree(self, agreed: bool) -> LinkView:
        self._linking.answer(agreed=agreed)
        return await self.linking()

    async def cancel(self) -> LinkView:
        await self._linking.cancel()
        return await self.linking()


def _device(device: OwnDevice) -> OwnDeviceView:
    key = device.key
    words = "this device" if device.this else _LINKED.get(device.linked) if device.linked else None
    if device.revoking:
        words = "removed by you; the authority has not revoked its certificate yet"
    return OwnDeviceView(
        key=key.key,
        name=device.name,
        this=device.this,
        met=device.this or key.named,
        removed=device.linked is SiblingState.REMOVED,
        words=words or (KEY_WORDS[key.how] if key.met else "not one that you have linked: see the alarms"),
        state="" if device.state is None else device.state.value,
        certificate_ends=None if device.ends_at is None else moment(device.ends_at),
        since=None if key.met_at is None else moment(key.met_at),
        chats=list(device.chats),
        left_out=[LeftOutView(chat=chat, why=why) for chat, why in device.left_out],
    )


def _link(progress: LinkProgress) -> LinkView:
    over = progress.state.is_over
    error = progress.error
    return LinkView(
        step=progress.step,
        state=progress.state.value,
        code="" if over else progress.code.text,
        uri="" if over else progress.code.uri,
        authority=progress.code.authority or "",
        ends=moment(progress.ends_at),
        name=progress.name,
        key=progress.key,
        comparison=progress.comparison,
        chats=progress.chats,
        left_out=[LeftOutView(chat=chat, why=why) for chat, why in progress.left_out],
        error="" if error is None else error.code,
        why="" if error is None else str(error),
        hint="" if error is None else error.hint,
        trouble=progress.trouble,
    )
