"""Each client's judgement on lists of revocations: whose they are, and which is the newer one."""

from identity.status import revocation
from identity.status.revocation import RevocationList, Revocations
from lab.attacks.outcome import Guard, Keeper
from lab.seams.seam import exchanging, instead


def revocations(rule: str) -> Guard:
    """The guard that is a check of lists, by the code of its error."""
    return Guard(Keeper.REVOCATIONS, rule)


def _adopting(self: Revocations, new: RevocationList) -> Revocations:
    """Take every list as the first one."""
    return Revocations((*(each for each in self._lists.values() if each.issuer != new.issuer), new))


def _pass(*_: object) -> None:
    """Raise nothing."""


NUMBER = exchanging(revocations("rollback"), instead(Revocations, "adopting", _adopting))
SIGNER = exchanging(revocations("signature"), instead(revocation, "_check_issuer", _pass))
