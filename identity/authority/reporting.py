"""The report desk: verifies every report fully, counts what is independent, and lets whoever it concerns answer."""

from collections.abc import Iterator
from contextlib import contextmanager

from identity.authority import rates
from identity.authority.errors import RefusedError
from identity.authority.issuer import Issuer
from identity.authority.proof import read_proof
from identity.authority.rates import DAY, RateLimit
from identity.authority.renewal import verify_old_chain
from identity.authority.report_policy import COUNT_LIMIT, ReportPolicy
from identity.authority.report_records import ReportRecords
from identity.authority.status.publishing import CrlPublisher, OwnRevocations
from identity.authority.status.revocations import refuse_revoked
from identity.authority.store import AuthorityStore
from identity.authority.wire import (
    PROOF_MAX_AGE,
    STANDING_GRACE,
    STANDING_PROOF_TYPE,
    ReportRequest,
    ReportTaken,
    Standing,
    StandingClaims,
    StandingRequest,
)
from identity.binding import DeviceVerifier
from identity.number import TelephoneNumber
from identity.reports.number_status import NumberStatus
from identity.reports.report import STATEMENT_AGE, ReportContext, ReportVerification, replay_keys, verify_report

STRUCK = "An appeal has shown reports of this number to be wrong; they do not count for a while."
KNOWN = "These messages were reported before."
REPEATED = "This number, or this conversation, counts already."
TIME_CHECK = 5  # of verify_report: what passes it was signed by the reporter, for this authority, just now


class ReportDesk:
    """Reports, standings and appeals over one store and one issuer; every method may raise RefusedError."""

    def __init__(
        self, store: AuthorityStore, issuer: Issuer, base_url: str, policy: ReportPolicy, lists: CrlPublisher
    ) -> None:
        self._store = store
        self._records = ReportRecords(store, policy)
        self._issuer = issuer
        self._base_url = base_url
        self._policy = policy
        self._per_reporter = RateLimit("REPORTS_PER_REPORTER", policy.reports_per_day, DAY)
        self._devices = DeviceVerifier(issuer.anchors)
        self._revocations = OwnRevocations(lists, issuer)

    def take(self, request: ReportRequest, address: str, now: int) -> ReportTaken:
        """Verify a report and count it; one that proves nothing is refused with the check that it failed."""
        with self._step(now):
            rates.admit(self._store, ((rates.REPORTS_PER_ADDRESS, address),), now)
        verified = self._verified(request, now)
        failed = verified.failed_check
        with self._step(now):
            new = self._charged(verified, now)
            if failed is None and new:
                return self._counted(verified, request, now)
        if failed is None:
            raise RefusedError("report-refused", "check 10 (distinct): this very report was made before", check=10)
        detail = f"check {failed.number} ({failed.name}): {failed.compared}"
        raise RefusedError("report-refused", detail, check=failed.number)

    def standing(self, request: StandingRequest, address: str, now: int) -> Standing:
        """Tell the holder of a number what counts against it, and take their appeal, once for each status."""
        with self._step(now):
            rates.admit(self._store, ((rates.STANDINGS_PER_ADDRESS, address),), now)
        holder = verify_old_chain(request.chain, self._issuer.anchors, now, STANDING_GRACE)
        if holder.number is None:
            raise RefusedError("chain-refused", "the certificate is not for a single number")
        claims, digest = read_proof(
            request.proof, holder.public_key, StandingClaims, STANDING_PROOF_TYPE, self._base_url, now
        )
        with self._step(now):
            refuse_revoked(self._store, holder)  # the number may be somebody else's by now
            rates.admit(self._store, ((rates.STANDINGS_PER_NUMBER, holder.number.digits),), now)
            if not self._store.spend_proof(digest, now + 2 * PROOF_MAX_AGE + 1):
                raise RefusedError("proof-replayed", "sign a new proof for each question")
            if claims.appeal:
                self._appeal(holder.number, claims.appeal, now)
            found = self._records.record(holder.number)
        return Standing(found.number.e164, found.status, found.ends_at, found.count, found.kinds, found.appeal)

    def _verified(self, request: ReportRequest, now: int) -> ReportVerification:
        context = ReportContext(
            self._base_url,
            now,
            self._issuer.certifies,
            hub_keys=self._policy.hub_keys,
            revocations=self._revocations.at(now),
        )
        return verify_report(request.report(), context, self._devices)

    def _charged(self, verified: ReportVerification, now: int) -> bool:
        """Let the reporter's number pay for a statement, once; says whether it is new.

        Whoever holds a statement can hand it in: one for others, of another time or seen before is not the reporter's
        doing, and costs its address like one that cannot be ascribed.
        """
        failed = verified.failed_check
        if failed is not None and failed.number <= TIME_CHECK:
            return False
        assert verified.reporter is not None, "checked by verify_report"
        if not self._store.spend_proof(verified.statement_digest, now + 2 * STATEMENT_AGE + 1):
            return False
        rates.admit(self._store, ((self._per_reporter, verified.reporter.digits),), now)
        return True

    def _counted(self, verified: ReportVerification, request: ReportRequest, now: int) -> ReportTaken:
        assert verified.accused is not None, "checked by verify_report"
        assert verified.reporter is not None, "checked by verify_report"
        accused, reporter = verified.accused, self._records.reporter(verified.reporter)
        why = STRUCK if self._records.is_struck(reporter) else self._add(verified, accused, reporter, request, now)
        status, ends_at = self._records.status(accused)
        return ReportTaken(not why, why, status, ends_at)

    def _add(
        self, verified: ReportVerification, accused: TelephoneNumber, reporter: bytes, request: ReportRequest, now: int
    ) -> str:
        """Add a report, with what follows from it; returns why it does not count, or nothing."""
        evidence = verified.evidence
        assert evidence is not None, "checked by verify_report"
        places = (self._records.conversation(item.group) for item in evidence.items)
        messages = dict(zip(replay_keys(verified.messages), places, strict=True))
        before = self._records.count(accused)
        if not self._records.add(accused, reporter, evidence.kind, request.report().evidence, messages, now):
            return KNOWN
        after = self._records.count(accused)
        consequence = self._policy.consequence(after)
        if after == before < COUNT_LIMIT or consequence is None:
            if self._records.status(accused)[0] is NumberStatus.CLEAR:
                self._records.forget_evidence(accused)  # there is nothing that could be appealed against
            return REPEATED
        self._records.apply(accused, consequence, now)
        return ""

    def _appeal(self, number: TelephoneNumber, text: str, now: int) -> None:
        if self._records.status(number)[0] is NumberStatus.CLEAR:
            raise RefusedError("nothing-to-appeal", f"{number} has no status")
        if not self._records.appeal(number, text, now):
            raise RefusedError("appealed", "the operator has your appeal; the status ends by itself in any case")

    @contextmanager
    def _step(self, now: int) -> Iterator[None]:
        with self._store.transaction():
            self._store.prune(now)
            self._records.end(now)
            yield
