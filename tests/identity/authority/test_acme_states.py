"""The three state machines do what their table says, and nothing else."""

import itertools
import re

import pytest

from identity.authority.acme import states
from identity.authority.acme.states import (
    AuthorizationState,
    ChallengeState,
    OrderState,
    Proof,
    Step,
    Turn,
    next_authorization,
    next_challenge,
    next_order,
)

MACHINES = {
    "challenge": (ChallengeState, (Proof,), next_challenge, 4),
    "authorization": (AuthorizationState, (Proof, Turn), next_authorization, 37),
    "order": (OrderState, (Step,), next_order, 80),
}


def table(column: int) -> dict[tuple[str, str], str]:
    """The rows of one machine: what stands from its column on, up to the next one."""
    ends = [*sorted(place for *_, place in MACHINES.values()), 200]
    end = next(place for place in ends if place > column)
    lines = (line[column:end] for line in (states.__doc__ or "").splitlines())
    rows = (re.fullmatch(r"([A-Z]+) +([A-Z]+) +([A-Z]+) *", line) for line in lines)
    return {(row[1], row[2]): row[3] for row in rows if row}


@pytest.mark.parametrize("name", MACHINES)
def test_every_event_in_every_state_leads_where_the_table_says(name):
    kinds, events, step, column = MACHINES[name]
    stated = table(column)
    assert stated, name

    for state, event in itertools.product(kinds, itertools.chain(*events)):
        assert step(state, event).name == stated.get((state.name, event.name), state.name)
    assert len(stated) == sum(
        step(state, event) is not state for state, event in itertools.product(kinds, itertools.chain(*events))
    )


@pytest.mark.parametrize("state", [OrderState.VALID, OrderState.INVALID])
def test_an_order_that_is_decided_stays_so(state):
    assert {next_order(state, event) for event in Step} == {state}
