"""What each client's MLS engine, and what stands right before it, refuses.

The engine has no switch. What it refuses for want of a key it gets: a client that goes on from a copy of its state.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import mls_rs

from client import invitations
from client.defence import certificate_facts
from client.formats import framing
from client.steps import receiving, roles
from client.steps.groups import Groups, Step
from identity.device import DeviceVerifier
from lab.attacks.outcome import Guard, Keeper, check
from lab.credulous import Credulous, stated_number
from lab.lax import Lax
from lab.poison import HONEST
from lab.seams.seam import Place, exchanging, instead

Save: TypeAlias = Callable[[Groups, Step], int | None]


def engine(rule: str) -> Guard:
    """The guard that is each recipient's engine, by the code of its error."""
    return Guard(Keeper.ENGINE, rule)


def _keep_used_keys(save: Save) -> Save:
    """Store a new epoch, but of the same one nothing: the keys of the messages in it are still there."""

    def saved(groups: Groups, step: Step) -> int | None:
        known = groups.chats.known(step.group.group_id)
        return None if known.epoch == step.group.epoch and step.standing is known.standing else save(groups, step)

    return saved


def _keep_nothing(self: Groups, step: Step) -> None:
    """Go on from the state that was stored last: past epochs are still there."""


def _as_signed(process: Any) -> Any:
    """Read a commit as its signature covers it: the confirmation tag stands behind that."""

    def processed(group: mls_rs.Group, handshake: bytes, now: int, *, leaving: bool) -> mls_rs.Proposal | mls_rs.Commit:
        event: mls_rs.Proposal | mls_rs.Commit = process(group, HONEST.get(handshake, handshake), now, leaving=leaving)
        return event

    return processed


def _pass(*_: object) -> None:
    """Raise nothing."""


CREDENTIALS = exchanging(
    engine("credential_refused"),
    instead(DeviceVerifier, "verify", Credulous.verify),
    instead(DeviceVerifier, "check_successor", Credulous.check_successor),
)
KEYS = exchanging(engine("already_read"), Place(Groups, "_save", _keep_used_keys))
EPOCHS = exchanging(engine("wrong_epoch"), instead(Groups, "_save", _keep_nothing))
ONE_NUMBER = exchanging(
    check(6),
    instead(DeviceVerifier, "verify", Credulous.verify),
    instead(certificate_facts, "leaf_number", lambda der: stated_number((der,))),
)
OUTSIDERS = exchanging(engine("not-from-a-member"), instead(receiving, "check_admissible", _pass))
FRAME = exchanging(engine("too-large"), instead(framing, "PASSPORT_SIZE_LIMIT", framing.FRAMED_LIMIT))
CONFIRMATION = exchanging(engine("invalid_confirmation"), Place(roles, "process", _as_signed))
ROLES = exchanging(engine("not-an-admin"), instead(roles, "EpochRoles", Lax))
INVITED = exchanging(engine("key-package"), instead(invitations, "check_key_package", _pass))
