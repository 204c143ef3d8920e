"""Every fuzzing target accepts the valid octets that it begins from, and refuses cut ones with an IdentityError."""

import pytest

from identity.errors import IdentityError
from lab.fuzz.targets import TARGETS

SIGNED_BY_NOBODY = {"authority_token"}  # its seed is refused for its signer, behind everything that is parsed


@pytest.mark.parametrize("name", sorted(set(TARGETS) - SIGNED_BY_NOBODY))
def test_its_seeds_are_accepted(name: str) -> None:
    target = TARGETS[name]
    accepted = 0
    for seed in target.seeds():
        try:
            target.parse(seed)
        except IdentityError:
            continue  # a path's issuers are no leaves, and its leaf is no issuer
        accepted += 1
    assert accepted > 0


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_nothing_but_its_own_errors_comes_out_of_cut_octets(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        for size in range(0, len(seed), max(1, len(seed) // 100)):
            try:
                target.parse(seed[:size])
            except IdentityError:
                continue
