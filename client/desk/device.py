"""The calls about this device."""

from client.credentials.logs_seen import SeenLog
from client.credentials.revocations import DeviceState
from client.defence.admission import Consent, Place
from client.defence.alarms import Alarm
from client.desk import reporting
from client.desk.api import Device
from client.desk.device_views import DeletedView
from client.desk.people_views import AlarmView, WatchedLogView
from client.desk.report_views import StandingView, StatusListView
from client.desk.showing import moment
from client.desk.views import AccountView, FindingView, FrankingKeyView, StatusView
from client.desk.works import Works
from client.doctor import look_at_account, look_at_home
from client.errors import ClientError
from client.invite import invite_uri, short_code
from client.storage.home import Home
from identity.reports.franking import HubKey

REMAINS = (
    "Which chats this device is or was in, until they end: leave them first (ringtrue leave CHAT).",
    "Messages and changes of these chats, encrypted, until their retention is over.",
    "With whom this number had its first contact, for 30 days: it is what limits strangers, and who they are.",
    "The references of key packages that were handed out, until they lapse, so that none is used twice.",
    "Nothing of this deletes your account on this device; it publishes key packages again when it is next used.",
)


class DeskDevice(Device):
    """client.desk.api.Device over a session."""

    def __init__(self, works: Works, home: Home) -> None:
        self._works = works
        self._home = home
        self._connection = works.connection

    async def account(self) -> AccountView:
        account = self._works.session.account
        return AccountView(
            number=account.number.e164,
            home=str(self._home.folder),
            authority=account.authority,
            delivery=account.delivery,
            certificate_ends=moment(account.validity()[1]),
            anchors=self._works.steps.groups.trust.fingerprint.hex(),
            invite=invite_uri(account.number),
            short_code=short_code(account.number),
        )

    async def status(self) -> StatusView:
        return await self._works.run(self.view)

    async def sync(self) -> StatusView:
        try:
            with self._works.in_flight("reading what is new"):
                await self._works.settle()
                await self._works.session.sync()
        except ClientError as error:
            self._connection.failed(error, self._works.now())
            raise
        finally:
            self._works.tell()
        self._connection.answered()
        return await self.status()

    async def franking_keys(self) -> list[FrankingKeyView]:
        shown = HubKey.from_point(await self._works.session.franking_key()).key_id.hex()
        kept = await self._works.run(self._works.steps.franking.kept)
        views = [
            FrankingKeyView(key=each.key_id, since=moment(each.since), shown=each.key_id == shown) for each in kept
        ]
        strange = [FrankingKeyView(key=shown, since=None, shown=True)]
        return views if any(view.shown for view in views) else views + strange

    async def use_franking_key(self, key: str) -> list[FrankingKeyView]:
        point = await self._works.session.franking_key()
        await self._works.run(self._works.steps.franking.use, key, point, self._works.now())
        return await self.franking_keys()

    async def alarms(self, everything: bool = False) -> list[AlarmView]:
        alarms = await self._works.run(self._works.steps.alarms.all, acknowledged=everything)
        return [_alarm(each) for each in alarms]

    async def logs(self) -> list[WatchedLogView]:
        return [_log(each) for each in await self._works.run(self._works.steps.log_monitor.seen.all)]

    async def watch(self) -> list[AlarmView]:
        with self._works.in_flight("asking where the number and the key are used"):
            if await self._works.run(self._works.steps.siblings.known):
                await self._works.session.sync()  # the logs tell of devices that another one of one's own has linked
            await self._works.session.maintain()
        self._works.tell()
        return await self.alarms()

    async def acknowledge(self, alarm: int, mine: bool = False) -> list[AlarmView]:
        await self._works.run(self._works.steps.watch.acknowledge, alarm, self._works.now(), mine=mine)
        self._works.tell()
        return await self.alarms()

    async def statuses(self, refresh: bool = False) -> StatusListView:
        if refresh:
            with self._works.in_flight("fetching the list of reported numbers"):
                await self._works.session.refresh_statuses()
        return await self._works.run(reporting.list_view, self._works)

    async def standing(self, appeal: str = "") -> StandingView:
        with self._works.in_flight("asking the authority about this number"):
            return reporting.standing_view(await self._works.session.standing(appeal))

    async def delete_service_data(self, number: bool = False) -> DeletedView:
        with self._works.in_flight("deleting what the service keeps"):
            deleted = await self._works.session.delete_service_data(number=number)
        return DeletedView(
            key_packages=deleted.key_packages,
            welcomes=deleted.welcomes,
            sessions=deleted.sessions,
            contacts=deleted.contacts,
            remains=list(REMAINS),
        )

    async def doctor(self) -> list[FindingView]:
        findings = [look_at_home(self._home)]
        findings += [finding async for finding in look_at_account(self._works.session)]
        return [FindingView(subject=each.subject, right=each.right, words=each.words) for each in findings]

    def view(self) -> StatusView:
        """The status, on the worker thread."""
        browsing = self._works.steps.browsing
        since, facts = self._connection.since, self._works.steps.facts.known
        return StatusView(
            online=self._connection.online,
            since=None if since is None else moment(since),
            doing=", ".join(dict.fromkeys(self._works.doing.values())),
            waiting=browsing.count_waiting(),
            trouble=self._connection.trouble,
            requests=browsing.count_waiting_chats(Consent.REQUEST),
            held=browsing.count_waiting_chats(Consent.QUARANTINE),
            quarantined=browsing.count_apart(Place.QUARANTINE),
            unread=browsing.count_unread(),
            alarms=self._works.steps.alarms.waiting(),
            retention=0 if facts is None else facts.retention,
            transfers=self._works.session.uploads.waiting(),
            revoked=self._is_revoked(),
            trouble_hint=self._connection.hint,
        )

    def _is_revoked(self) -> bool:
        chain, known = self._works.steps.groups.account.chain, self._works.steps.revocations
        return self._connection.refused or known.state(chain, self._works.now()) is DeviceState.REVOKED


def _log(log: SeenLog) -> WatchedLogView:
    return WatchedLogView(
        name=log.key.name,
        log=log.key.log_id.hex(),
        url=log.url,
        size=log.head.size,
        read=log.frontier.size,
        head=moment(log.head.timestamp // 1000) if log.head.timestamp else None,
        looked=None if log.looked_at is None else moment(log.looked_at),
    )


def _alarm(alarm: Alarm) -> AlarmView:
    put_away = alarm.acknowledged_at
    return AlarmView(
        id=alarm.id,
        kind=alarm.kind.value,
        words=alarm.words,
        advice=alarm.advice,
        at=moment(alarm.happened_at),
        raised=moment(alarm.raised_at),
        acknowledged=None if put_away is None else moment(put_away),
    )
