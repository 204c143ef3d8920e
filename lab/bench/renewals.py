"""What renewals cost a group: commits and octets under the client's rule, beside a commit at once for each renewal.

Real certificates, the real engine for each member, and the rule of client.credentials.renewal, hour by hour. A tenth of
the members write once a day, or nobody does; the others read. Own commits for other reasons, which carry certificates
for nothing, do not occur. `python -m lab.bench.renewals --full`: 1,000 renewals in a group of 100.
"""

import random
import sys
import time
from dataclasses import dataclass

import mls_rs
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.renewal import OwnLeaf, message_waits, renewal_at
from identity.binding import DeviceVerifier
from identity.certificate_fields import load_certificate, validity
from identity.certificates import public_point
from lab.bench.crowd import GROUP_ID, SUITE, Certifier, validator
from lab.bench.rows import Aim, Row, table

FULL, USUAL, QUICK = 100, 16, 8  # members
RENEWALS_EACH = 10  # by each member, hence for about 41 days
WRITERS_SHARE = 10  # one member in so many writes
HOUR, DAY = 3_600, 86_400  # seconds
FOUNDED_WITHIN = 2 * DAY  # in which the members' first certificates were issued


@dataclass(slots=True)
class Cost:
    """What went into the group's log, and how long its members worked on that, in seconds of one core."""

    renewals: int = 0
    commits: int = 0
    octets: int = 0
    worked: float = 0.0


class Member:
    """One device: its key, its certificates at home and in the group, and its group."""

    def __init__(self, certifier: Certifier, verifier: DeviceVerifier, now: int) -> None:
        self._certifier = certifier
        scalar, self.chain = certifier.device(now)
        self._scalar = scalar
        self._key = ec.derive_private_key(int.from_bytes(scalar), ec.SECP256R1())
        self.point = public_point(self._key.public_key())
        self.engine = mls_rs.Engine(SUITE, mls_rs.Credential.x509(self.chain), bytearray(scalar), validator(verifier))
        self.group: mls_rs.Group | None = None
        self.inside = self.chain
        self.used = self.heard = 0

    def renews(self, now: int) -> bool:
        """Get a new certificate for the key if that is due."""
        if now < renewal_at(*_validity(self.chain), self.point):
            return False
        self.chain = self._certifier.renewed(self.chain, self._key.public_key(), now)
        return True

    def is_due(self, now: int) -> bool:
        """The client's rule."""
        leaf = OwnLeaf(GROUP_ID, *_validity(self.inside), self.used, self.heard)
        return self.inside != self.chain and leaf.is_due(self.point, now)

    def waits_to_write(self, now: int) -> bool:
        """The client's rule, before a message."""
        return self.inside != self.chain and message_waits(*_validity(self.inside), now)

    def commit(self, now: int) -> bytes:
        """Put the newest certificate into the group."""
        assert self.group is not None, "everybody has joined"
        newer = self.engine.rotate(mls_rs.Credential.x509(self.chain), bytearray(self._scalar))
        pending = self.group.commit(now, identity=newer, path=True)
        self.group.apply(pending.secrets)
        self.inside = self.chain
        return pending.commit


class Crowd:
    """A group in which hours pass."""

    def __init__(self, members: int, writers: int, *, at_once: bool) -> None:
        self._draw = random.Random(1)  # noqa: S311 - the same hours in every run
        self._now = int(time.time())
        certifier = Certifier(self._now - FOUNDED_WITHIN)
        verifier = DeviceVerifier(certifier.anchors)
        ages = [self._draw.randrange(FOUNDED_WITHIN) for _ in range(members)]
        self._members = [Member(certifier, verifier, self._now - age) for age in ages]
        self._hours = {member: self._draw.randrange(24) for member in self._members[:writers]}
        self._at_once = at_once
        self.cost = Cost()
        self._found()

    def _found(self) -> None:
        founder, *others = self._members
        packages = [member.engine.key_package(self._now, lifetime=DAY) for member in others]
        founder.group = founder.engine.create(GROUP_ID, self._now)
        pending = founder.group.commit(self._now, add=[package.message for package in packages])
        founder.group.apply(pending.secrets)
        for member, package in zip(others, packages, strict=True):
            member.group = member.engine.join(pending.welcomes[0], [package.secret], self._now)

    def live(self, renewals: int) -> Cost:
        """Let hours pass until there were so many renewals."""
        while self.cost.renewals < renewals:
            self._now += HOUR
            for member in self._members:
                renewed = member.renews(self._now)
                self.cost.renewals += renewed
                if renewed if self._at_once else member.is_due(self._now):
                    self._commit(member)
            for writer, hour in self._hours.items():
                if self._now // HOUR % 24 == hour:
                    self._write(writer)
        return self.cost

    def _write(self, writer: Member) -> None:
        if writer.waits_to_write(self._now):
            self._commit(writer)
        writer.used = self._now
        for member in self._members:
            member.heard = self._now

    def _commit(self, member: Member) -> None:
        started = time.process_time()
        commit = member.commit(self._now)
        for other in self._members:
            if other is not member and other.group is not None:
                other.group.process(commit, self._now)
        self.cost.worked += time.process_time() - started
        self.cost.commits += 1
        self.cost.octets += len(commit)


def run(quick: bool = False) -> list[Row]:
    """A small group; `measured` takes other sizes."""
    return measured(QUICK if quick else USUAL)


def measured(members: int) -> list[Row]:
    """The same renewals under both rules, where some write and where nobody does."""
    renewals = members * RENEWALS_EACH
    floor_name = f"a commit at once for each of {renewals:,} renewals"
    at_once = Crowd(members, _writers(members), at_once=True).live(renewals)
    rows = []
    for where, writers in (("one in ten writes daily", _writers(members)), ("nobody writes", 0)):
        due = Crowd(members, writers, at_once=False).live(renewals)
        note = (
            f"{due.octets / max(due.commits, 1):,.0f} octets a commit, {at_once.octets / at_once.commits:,.0f} at once"
        )
        name = f"renewals, {where}"
        rows += [
            Row(
                f"{name}: commits", due.commits, "", members, floor_name, at_once.commits, Aim("ratio", "at most", 0.5)
            ),
            Row(f"{name}: log", due.octets / 2**10, "KiB", members, floor_name, at_once.octets / 2**10, note=note),
            Row(f"{name}: work", due.worked, "s", members, floor_name, at_once.worked),
        ]
    return rows


def _writers(members: int) -> int:
    return max(members // WRITERS_SHARE, 1)


def _validity(chain: tuple[bytes, ...]) -> tuple[int, int]:
    return validity(load_certificate(chain[0]))


if __name__ == "__main__":
    print(table(measured(FULL) if "--full" in sys.argv[1:] else run()))
