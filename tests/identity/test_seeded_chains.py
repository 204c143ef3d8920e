"""Ten thousand chains, valid or broken in one way each, get the answer that they must get."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from identity.certificates import ChainVerifier, verify_chain
from identity.errors import CertificateError
from tests.identity.conftest import NOW
from tests.identity.seeded_chains import FAULTS, anchors, seeded_chain

CHAINS = 10_000
SHARES = 8  # so that several processes divide the work


@pytest.mark.parametrize("share", range(SHARES))
def test_every_seeded_chain_gets_its_answer(share: int) -> None:
    roots, wrong, met = anchors(), [], Counter[str]()
    remembering = ChainVerifier(roots)
    for number in range(share, CHAINS, SHARES):
        seeded = seeded_chain(number)
        met[seeded.fault] += 1
        answers = [
            answer(partial(verify_chain, seeded.chain, roots, NOW)),
            answer(partial(remembering.verify, seeded.chain, NOW)),
        ]
        wrong += [(number, seeded.fault, seeded.expected, given) for given in answers if given != seeded.expected]
    assert not wrong, wrong[:10]
    assert met[""] > CHAINS // SHARES // 4


def test_every_fault_is_among_them() -> None:
    assert {seeded_chain(number).fault for number in range(2 * len(FAULTS))} == {"", *FAULTS}


def answer(verify: Callable[[], object]) -> str | None:
    """The code of the refusal, None for a chain that is valid; anything else that is raised fails the test."""
    try:
        verify()
    except CertificateError as error:
        return error.code
    return None
