"""Rules of the delivery service, each switched off by itself at the service that everybody in a world uses."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeAlias

from mls_rs import Observer

from delivery_service import framing, groups, observers
from delivery_service.storage import consent, key_packages, rules
from delivery_service.storage import groups as stored_groups
from delivery_service.storage.transaction import Transaction
from delivery_service.storage.values import NewCommit, NewEntry, NewWelcome
from delivery_service.wire import Appended
from identity.groups import eviction
from lab.attacks.outcome import Guard, Keeper
from lab.credulous import Credulous
from lab.lax import Lax
from lab.seams.seam import Place, Seam, exchanging, instead
from lab.world import World

_MEMBER = """
  AND EXISTS (SELECT 1 FROM memberships WHERE group_number = groups.number AND device = :device AND until IS NULL)"""
_EPOCH = "AND epoch = :epoch"

Admit: TypeAlias = Callable[[rules.Standing | None, NewEntry], None]


def service(rule: str) -> Guard:
    """The guard that is a rule of the delivery service, by the word of its problem."""
    return Guard(Keeper.SERVICE, rule)


def _without(condition: str, always: str) -> Callable[[str], str]:
    """Take one condition out of a statement."""

    def change(statement: str) -> str:
        if condition not in statement:
            raise LookupError(f"a statement of the delivery service has no condition {condition!r} any more")
        return statement.replace(condition, always, 1)

    return change


def _as(change: Callable[[rules.Standing, NewEntry], rules.Standing]) -> Callable[[Admit], Admit]:
    """Let the rules see another standing than there is."""

    def changed(admit: Admit) -> Admit:
        return lambda standing, entry: admit(None if standing is None else change(standing, entry), entry)

    return changed


def _no_addressees(tx: Transaction, commit: NewCommit) -> list[tuple[NewWelcome, list[bytes]]]:
    return []


def _pass(*_: object) -> None:
    """Raise nothing."""


@contextmanager
def _believing(world: World) -> Iterator[None]:
    credentials = world.service.credentials
    credulous = Credulous(credentials._verifier.chains.anchors)
    with instead(credentials, "_verifier", credulous).exchanged():
        yield


@contextmanager
def _looking_back(world: World) -> Iterator[None]:
    """Judge every handshake of a group as if none had come before since this was switched on."""
    service, snapshots = world.service, dict[bytes, bytes]()
    take_for, credentials = service.observers.take_for, service.credentials

    async def taken(handshake: NewEntry) -> Appended | tuple[int, Observer]:
        found = await take_for(handshake)
        if isinstance(found, Appended):
            return found
        version, observer = found
        snapshot = snapshots.setdefault(handshake.group_id, observer.snapshot())
        return version, Observer.load(snapshot, credentials.validate, credentials.succeed)

    with instead(service.observers, "take_for", taken).exchanged():
        yield


@contextmanager
def _forgetting_nonces(world: World) -> Iterator[None]:
    async def spent(*_: object) -> None:
        """Remember nothing."""

    with instead(world.service.store, "spend_nonce", spent).exchanged():
        yield


CREDENTIALS = Seam(service("credential-refused"), _believing)
MEMBERSHIP = exchanging(
    service("not-a-member"),
    Place(rules, "admit", _as(lambda standing, _: replace(standing, member=True))),
    Place(stored_groups, "_NEXT", _without(_MEMBER, "\n  AND :device = :device")),
)
EPOCH = exchanging(
    service("stale-epoch"),
    Place(rules, "admit", _as(lambda standing, entry: replace(standing, epoch=entry.epoch))),
    Place(stored_groups, "_NEXT", _without(_EPOCH, "AND :epoch = :epoch")),
)
EXTERNAL_COMMITS = exchanging(
    service("not-allowed"),
    instead(framing, "check_handshake", _pass),
    instead(eviction.EpochSender, "check_commit", _pass),
    instead(groups, "_check_commit", _pass),
    instead(stored_groups, "_addressees", _no_addressees),
)
HANDSHAKES = Seam(service("invalid-handshake"), _looking_back)
ROLES = exchanging(service("not-allowed"), instead(observers, "EpochRoles", Lax))
CONSENT = exchanging(
    service("no-consent"),
    instead(consent, "check_consent", _pass),
    instead(stored_groups, "check_reached", _pass),
)
QUOTAS = exchanging(service("rate-limited"), instead(consent, "check_quotas", _pass))
LAST_RESORT = exchanging(
    service("last-resort"), Place(key_packages, "_CHOOSE", _without("IN (:best, 3)", "IN (:best)"))
)
NONCES = Seam(service("invalid-signature"), _forgetting_nonces)
