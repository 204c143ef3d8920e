"""The MLS measurements take real steps and name what they measure."""

import time

from identity.binding import DeviceVerifier
from lab.bench.crowd import Certifier, validator
from lab.bench.mls import OPERATIONS
from lab.bench.mls_ours import Stage


def test_the_steps_measure_every_operation_of_the_table() -> None:
    now = int(time.time())
    certifier = Certifier(now)
    stage = Stage([certifier.device() for _ in range(3)], now)
    measured = [stage.step(step) for step in ("create", "join", "talk", "advance")]
    assert {operation for times in measured for operation in times} == OPERATIONS.keys()
    assert all(seconds > 0 for times in measured for seconds in times.values())


def test_a_join_can_ask_identity_for_every_chain() -> None:
    now = int(time.time())
    certifier = Certifier(now)
    stage = Stage([certifier.device() for _ in range(3)], now)
    stage.step("create")
    group = stage.join({}, validator(DeviceVerifier(certifier.anchors)))
    assert len({member.identity for member in group.members()}) == 3
