"""Verifying the Identity header fields of a call or message, and saying so in the words of SIP servers."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from identity.attestation import Expected, Identity, unverified_passport
from identity.authority.signing.errors import CallRefusedError
from identity.authority.signing.wire import (
    REASONS,
    TN_FAILED,
    TN_NOT_VALIDATED,
    TN_PASSED,
    DivResult,
    One,
    VerificationRequest,
    VerificationResponse,
    VerifyResult,
    VerifyResultEntry,
)
from identity.certificates import ChainVerifier
from identity.errors import FetchError, IdentityError
from identity.number import TelephoneNumber
from identity.passport import UnverifiedPassport
from identity.passport_kinds import KINDS
from identity.sip import parse_identity, verify_identity
from identity.status.revocation import lists_for
from identity.verdict import Verdict, Verification

KEPT_CHAINS = 256  # chains that were fetched, by their address
KEPT_FOR = 86_400  # seconds (ATIS-1000074: a day)

Fetch = Callable[[str], Awaitable[tuple[bytes, ...]]]

_FIRST = frozenset({"shaken", "msg"})  # what the field of the call or message itself may be
_FURTHER = frozenset({"shaken", "msg", "div", "rcd"})
_PASSED = frozenset({Verdict.VERIFIED, Verdict.DELAYED, Verdict.CARRIER})


@dataclass(slots=True)
class CallVerifier:
    """Verifies with one's own anchors.

    `fetch` gets the certificates that a token names, None fetches nothing. `crls` are the lists of revocations at hand.
    """

    chains: ChainVerifier
    fetch: Fetch | None = None
    crls: Callable[[], Sequence[bytes]] = tuple
    _kept: OrderedDict[str, tuple[int, tuple[bytes, ...]]] = field(default_factory=OrderedDict)

    async def verify(self, request: VerificationRequest, now: int) -> VerificationResponse:
        """Verify every Identity header field of a request. Raises CallRefusedError if the request is no such thing.

        The sender counts as validated if the first field's token is by who the request says it is from, for whom it
        says it is to. A diversion is for whom the request goes to in the end; its `orig` is the same sender.
        """
        sender, called = _identity("from", request.from_), _identity("to", request.to)
        goes_to = called if request.dest is None else _identity("dest", request.dest)
        expected = Expected(now, sender, frozenset({called, goes_to}), kinds=_FIRST)
        first = await self._judge(request.identityHeader, request.content, expected)
        results, diversions = [first], []
        for text in request.identityHeaders or ():
            judged = await self._judge(text, request.content, replace(expected, kinds=_FURTHER))
            results.append(judged)
            if judged.passport is not None and judged.passport.kind.ppt == "div":
                diversions.append(DivResult(_one(judged.passport.claims["div"]), judged.verstat))
        return VerificationResponse(
            first.verstat,
            [VerifyResultEntry(each.result()) for each in results],
            diversions or None,
            request.requestId,
            request.displayName,
        )

    async def _judge(self, text: str, content: bytes | None, expected: Expected) -> "_Judged":
        passport = _passport(text)
        if passport is not None and not passport.x5c and self.fetch is not None:
            expected = replace(expected, chain=await self._chain(passport.x5u, expected.arrived))
        issuers = expected.chain[1:] or (passport.x5c[1:] if passport is not None else ())
        lists = await asyncio.to_thread(lists_for, self.crls(), issuers, self.chains.anchors, expected.arrived)
        return _Judged(text, passport, verify_identity(text, content, expected, self.chains, None, revocations=lists))

    async def _chain(self, url: str, now: int) -> tuple[bytes, ...]:
        kept = self._kept.get(url)
        if kept is not None and now - kept[0] < KEPT_FOR:
            return kept[1]
        assert self.fetch is not None, "asked by the caller"
        try:
            chain = await self.fetch(url)
        except FetchError:
            return ()  # check 4 says that no certificate is at hand
        self._kept[url] = now, chain
        if len(self._kept) > KEPT_CHAINS:
            self._kept.popitem(last=False)
        return chain


@dataclass(frozen=True, slots=True)
class _Judged:
    text: str
    passport: UnverifiedPassport | None
    verification: Verification

    @property
    def verstat(self) -> str:
        if self.verification.verdict in _PASSED:
            return TN_PASSED
        return TN_NOT_VALIDATED if self.verification.verdict is Verdict.UNDECIDED else TN_FAILED

    def result(self) -> VerifyResult:
        ppt = self.passport.kind.ppt if self.passport is not None else _stated_type(self.text)
        if self.verification.verdict in _PASSED and self.passport is not None:
            return VerifyResult(ppt, "pass", validClaims=dict(self.passport.claims))
        code, checks = self.verification.code or 438, self.verification.checks
        # What is too old has passed every check, and check 11 says how old it is.
        stopped = next((each for each in checks if each.outcome in ("failed", "undecided")), checks[11])
        why = f"{self.verification.reason} Check {stopped.number} ({stopped.name}): {stopped.compared}"
        token = self.text.partition(";")[0].strip()
        return VerifyResult(ppt, "fail", code, REASONS[code], why, token)


def _passport(text: str) -> UnverifiedPassport | None:
    try:
        return unverified_passport(parse_identity(text).token)
    except IdentityError:
        return None


def _stated_type(text: str) -> str:
    """What a header field says of the token in it, where that cannot be read."""
    try:
        stated = parse_identity(text).parameters.get("ppt", "")
    except IdentityError:
        return ""
    return stated if stated in KINDS else ""


def _identity(name: str, one: One) -> Identity:
    if (one.tn is None) == (one.uri is None):
        raise CallRefusedError("SVC4005", name, "it has either tn or uri")
    return TelephoneNumber.from_digits(one.tn) if one.tn is not None else str(one.uri)


def _one(claim: object) -> One:
    values = claim if isinstance(claim, dict) else {}
    return One(values.get("tn"), values.get("uri"))
