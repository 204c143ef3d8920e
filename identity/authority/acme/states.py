"""What an order, its authorization and its challenge go through (RFC 8555 §7.1.6).

    challenge  event      next       authorization  event         next          order    event         next
    PENDING    ACCEPTED   VALID      PENDING        ACCEPTED      VALID         PENDING  AUTHORIZED    READY
    PENDING    REFUSED    INVALID    PENDING        REFUSED       INVALID       PENDING  UNAUTHORIZED  INVALID
                                     PENDING        DEACTIVATED   DEACTIVATED   PENDING  ENDED         INVALID
                                     PENDING        ENDED         INVALID       READY    UNAUTHORIZED  INVALID
                                     VALID          DEACTIVATED   DEACTIVATED   READY    ISSUED        VALID
                                     VALID          ENDED         EXPIRED       READY    ENDED         INVALID

Whatever is not in a table changes nothing. Orders are issued in one step, so "processing" is no state of theirs, only
what is shown meanwhile; what was issued is revoked by its certificate, so no authorization is "revoked".
"""

from enum import Enum, StrEnum
from types import MappingProxyType


class ChallengeState(StrEnum):
    """Of a challenge."""

    PENDING = "pending"
    VALID = "valid"
    INVALID = "invalid"


class AuthorizationState(StrEnum):
    """Of an authorization."""

    PENDING = "pending"
    VALID = "valid"
    INVALID = "invalid"
    DEACTIVATED = "deactivated"
    EXPIRED = "expired"


class OrderState(StrEnum):
    """Of an order."""

    PENDING = "pending"
    READY = "ready"
    VALID = "valid"
    INVALID = "invalid"


class Proof(Enum):
    """What became of the authority token that answered a challenge."""

    ACCEPTED = "accepted"
    REFUSED = "refused"


class Turn(Enum):
    """What else happens to an authorization."""

    DEACTIVATED = "deactivated"
    ENDED = "ended"


class Step(Enum):
    """What happens to an order."""

    AUTHORIZED = "authorized"
    UNAUTHORIZED = "unauthorized"
    ISSUED = "issued"
    ENDED = "ended"


_CHALLENGES = MappingProxyType(
    {
        (ChallengeState.PENDING, Proof.ACCEPTED): ChallengeState.VALID,
        (ChallengeState.PENDING, Proof.REFUSED): ChallengeState.INVALID,
    }
)
_AUTHORIZATIONS: MappingProxyType[tuple[AuthorizationState, Proof | Turn], AuthorizationState] = MappingProxyType(
    {
        (AuthorizationState.PENDING, Proof.ACCEPTED): AuthorizationState.VALID,
        (AuthorizationState.PENDING, Proof.REFUSED): AuthorizationState.INVALID,
        (AuthorizationState.PENDING, Turn.DEACTIVATED): AuthorizationState.DEACTIVATED,
        (AuthorizationState.PENDING, Turn.ENDED): AuthorizationState.INVALID,
        (AuthorizationState.VALID, Turn.DEACTIVATED): AuthorizationState.DEACTIVATED,
        (AuthorizationState.VALID, Turn.ENDED): AuthorizationState.EXPIRED,
    }
)
_ORDERS = MappingProxyType(
    {
        (OrderState.PENDING, Step.AUTHORIZED): OrderState.READY,
        (OrderState.PENDING, Step.UNAUTHORIZED): OrderState.INVALID,
        (OrderState.PENDING, Step.ENDED): OrderState.INVALID,
        (OrderState.READY, Step.UNAUTHORIZED): OrderState.INVALID,
        (OrderState.READY, Step.ISSUED): OrderState.VALID,
        (OrderState.READY, Step.ENDED): OrderState.INVALID,
    }
)


def next_challenge(state: ChallengeState, event: Proof) -> ChallengeState:
    """The state after the event, by the table above."""
    return _CHALLENGES.get((state, event), state)


def next_authorization(state: AuthorizationState, event: Proof | Turn) -> AuthorizationState:
    """The state after the event, by the table above."""
    return _AUTHORIZATIONS.get((state, event), state)


def next_order(state: OrderState, event: Step) -> OrderState:
    """The state after the event, by the table above."""
    return _ORDERS.get((state, event), state)
