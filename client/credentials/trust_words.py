"""Trust in words: roots, pins, switches, and what a removal would mean."""

from collections.abc import Iterator

from client.desk.trust_views import AnchorView, FootingView, TrustView
from client.words.spelling import shown_number

SWITCHES = (
    ("non_ecdsa_issuers", "RSA issuers", "issuers may sign with RSA as well (RFC 8226 §4)"),
    ("code_leaves", "carriers' codes in leaves", "a carrier may vouch for a number with its code alone"),
    ("unknown_policies", "unknown policies", "a certificate may stand under policies that are not known here"),
    ("uri_identities", "URI identities", "participants without a number may sign with a URI"),
)
CODE_PARENTS = {
    "admit": "a carrier's code delegates any number",
    "refuse": "a carrier's code delegates no number",
    "directory": "a carrier's code delegates the numbers that your directory lists for it",
}
NAMES_SHOWN = 10  # chats and numbers in one warning


def anchor_words(anchor: AnchorView) -> str:
    """One root, with what is pinned below it."""
    whence = "imported" if anchor.imported else "from your enrolment"
    standing = whence if anchor.known else "not among your roots"
    time = f"{anchor.not_before:%Y-%m-%d} to {anchor.not_after:%Y-%m-%d}"
    lines = [
        f"{'✓' if anchor.valid else '✗'} {anchor.subject}  ({standing})",
        f"  fingerprint  {anchor.fingerprint}",
        f"  valid        {time}{'' if anchor.valid else ', which is not now'}",
        f"  bounded to   {anchor.numbers}",
    ]
    lines += [f"  pinned       {pin.subject}  {pin.issuer}" for pin in anchor.pins]
    return "\n".join(lines)


def policy_lines(trust: TrustView) -> Iterator[str]:
    """The switches, each with what it means."""
    for field, name, meaning in SWITCHES:
        yield f"{'on ' if getattr(trust, field) else 'off'}  {name}: {meaning}"
    yield f"     carriers' codes: {CODE_PARENTS[trust.code_parents]}"
    for code in trust.codes:
        yield f"     directory: {code.code} has {', '.join(code.prefixes)}"
    yield f"     logs that must vouch for a certificate: {trust.scts} of {len(trust.logs)} known"
    for log in trust.logs:
        yield f"     log: {log.name}  {log.log}"


def trust_words(trust: TrustView) -> str:
    """Everything."""
    lines = [anchor_words(anchor) for anchor in trust.anchors] or ["✗ There is no root: nothing can be verified."]
    lines += ["", *policy_lines(trust), "", f"This set is named {trust.fingerprint}."]
    return "\n".join([*lines, *own_trouble(trust)])


def own_trouble(trust: TrustView) -> Iterator[str]:
    """A warning, if the device does not count under its own trust."""
    if trust.trouble:
        yield f"✗ Your own certificate does not count under it: {trust.trouble}"


def footing_words(footing: FootingView) -> str:
    """What loses its footing with a root."""
    lines = [f"Removing {footing.subject} ({footing.fingerprint[:16]})."]
    if footing.numbers:
        numbers = _some([shown_number(number) for number in footing.numbers])
        lines.append(f"⚠ Only this root vouches for {numbers}, in these chats: {_some(footing.chats)}.")
        lines.append("  What they send will not be verified and goes to quarantine; their renewals are refused.")
    if footing.own:
        lines.append("⚠ Your own certificate stands below it: you could not renew it.")
    if footing.last:
        lines.append("⚠ It is your last root: nothing at all would be verified.")
    if not (footing.numbers or footing.own or footing.last):
        lines.append("No chat of yours depends on it.")
    return "\n".join(lines)


def _some(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
