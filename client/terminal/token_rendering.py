"""What is found out about a PASSporT, as lines for people and as values for JSON."""

from collections.abc import Iterator

from client.desk.lines import FailedCheckLine, PresentedLine, SaidLine, VerifiedToken
from client.formats.text import safe_name, safe_text
from client.terminal.rendering import check_lines, check_words, moment, show
from client.terminal.voices import Terminal
from client.tokens import JudgedToken
from client.words.spelling import shown_number
from client.words.wording import PROVEN, VERDICT_WORDS
from identity.attestation import ClaimedDisplay
from identity.passport import UnverifiedPassport
from identity.verdict import Verdict, Verification

URI_VERIFIED = "✓ URI VERIFIED"
BAD_IDENTITY_INFO = 436  # RFC 8224 §6.2.2: the certificate cannot be had
_SIGNATURE = 8  # the check after which a token's words are its signer's


def tell_token(terminal: Terminal, judged: JudgedToken) -> None:
    """Show the verdict on one token, check by check."""
    shape = _shape(judged)
    show(terminal, "token-verification", "\n".join(_words(shape)), shape)


def _shape(judged: JudgedToken) -> VerifiedToken:
    verification, failed = judged.verification, judged.verification.failed_check
    signed = verification.checks[_SIGNATURE].outcome == "passed"
    return VerifiedToken(
        place=judged.place,
        verdict=verification.verdict.value,
        label=_label(verification, judged.passport),
        number=None if verification.number is None else verification.number.e164,
        reason=verification.reason,
        code=verification.code,
        check=None if failed is None else FailedCheckLine(failed.number, failed.name),
        checks=check_lines(verification),
        says=_said(judged.passport) if signed and judged.passport is not None else None,
        claimed=None if judged.display is None else _presented(judged.display),
        fetch=judged.fetch,
    )


def _label(verification: Verification, passport: UnverifiedPassport | None) -> str:
    uri = passport is not None and ":" in passport.orig
    return URI_VERIFIED if uri and verification.verdict is Verdict.VERIFIED else VERDICT_WORDS[verification.verdict]


def _said(passport: UnverifiedPassport) -> SaidLine:
    dest = [safe_text(each).text for each in (*passport.dest_numbers, *passport.dest_uris)]
    return SaidLine(passport.kind.ppt, safe_text(passport.orig).text, dest, moment(passport.iat))


def _presented(display: ClaimedDisplay) -> PresentedLine:
    data = display.data
    return PresentedLine(
        name=safe_name(data.name).text,
        number=data.number,
        icon=None if data.icon is None else safe_text(data.icon).text,
        reason=None if data.reason is None else safe_text(data.reason).text,
        issuer=safe_name(display.issuer).text,
        bound=display.bound,
    )


def _words(shape: VerifiedToken) -> Iterator[str]:
    who = f" {shown_number(shape.number)}" if shape.number else ""
    yield f"{shape.label}{who} ({shape.place})"
    yield f"{shape.reason}{'' if shape.code is None else f' Code {shape.code}.'}"
    if shape.says is not None:
        kind = shape.says.ppt or "without a type"
        yield f"It says ({kind}): {shape.says.orig} to {', '.join(shape.says.dest)}, at {shape.says.signed}."
    if shape.claimed is not None:
        yield _claimed_words(shape.claimed, proven=shape.verdict in PROVEN)
    if shape.fetch is not None:
        yield shape.fetch
    elif shape.code == BAD_IDENTITY_INFO:
        yield "Give the certificates with --chain FILE, or have them fetched: --fetch"
    yield from map(check_words, shape.checks)


def _claimed_words(claimed: PresentedLine, *, proven: bool) -> str:
    """Say whose word a presentation is; a name is never an identity."""
    whose = f"claimed by issuer {claimed.issuer}" if claimed.bound else "claimed by the signer, and by no issuer"
    parts = (("name", claimed.name), ("number", claimed.number), ("picture", claimed.icon), ("reason", claimed.reason))
    said = ", ".join(f"{word} {value!r}" for word, value in parts if value)
    rest = "the number is verified, the name is not" if proven else "neither number nor name is verified"
    return f"To be presented as: {said} ({whose}; {rest})."
