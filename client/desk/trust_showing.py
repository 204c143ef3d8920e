"""Trust as views: roots, pins and the policy, as a person may see them. Runs on the worker thread."""

from collections.abc import Sequence

from cryptography import x509

from client.credentials.anchor_files import examine
from client.credentials.trust import KnownAnchor, KnownPin
from client.credentials.trusting import Trusting
from client.desk.inspecting import bounded_to
from client.desk.showing import chat_name, moment
from client.desk.trust_views import AnchorView, CodeView, FootingView, GroupAnchorsView, LogView, PinView, TrustView
from client.formats.text import safe_line
from client.steps.wired import Steps
from identity.certificate_fields import validity
from identity.prefixes import prefixes_of
from identity.trust import key_hash


def trust_view(steps: Steps, now: int) -> TrustView:
    """Everything, as `ringtrue trust list` shows it."""
    trusting = steps.trusting
    switches, pins = trusting.kept.switches(), trusting.kept.pins()
    return TrustView(
        fingerprint=steps.groups.trust.fingerprint.hex(),
        anchors=[anchor_view(known, pins, now) for known in trusting.kept.anchors()],
        non_ecdsa_issuers=switches.non_ecdsa_issuers,
        code_parents=switches.code_parents.value,
        code_leaves=switches.code_leaves,
        unknown_policies=switches.unknown_policies,
        scts=switches.scts,
        uri_identities=switches.uri_identities,
        codes=[
            CodeView(code=code, prefixes=list(prefixes_of(numbers))) for code, numbers in trusting.kept.codes().items()
        ],
        logs=[LogView(name=log.name, log=log.log_id.hex()) for log in trusting.kept.logs()],
        trouble=safe_line(trusting.trouble(now)),
    )


def examined_views(trusting: Trusting, pem: bytes, now: int) -> list[AnchorView]:
    """The roots of a file that might be imported. Raises TrustError."""
    known = {each.fingerprint: each for each in trusting.kept.anchors()}
    found = [KnownAnchor(root, True, None) for root in examine(pem, now)]
    pins = trusting.kept.pins()
    return [
        anchor_view(known.get(each.fingerprint, each), pins, now, known=each.fingerprint in known) for each in found
    ]


def anchor_view(anchor: KnownAnchor, pins: Sequence[KnownPin], now: int, *, known: bool = True) -> AnchorView:
    """One root, with what is pinned below it."""
    not_before, not_after = validity(anchor.certificate)
    key = key_hash(anchor.certificate)
    return AnchorView(
        fingerprint=anchor.fingerprint.hex(),
        key=key.hex(),
        subject=_subject(anchor.certificate),
        numbers=bounded_to(anchor.certificate),
        not_before=moment(not_before),
        not_after=moment(not_after),
        valid=not_before <= now <= not_after,
        known=known,
        imported=anchor.imported,
        added=None if anchor.added_at is None else moment(anchor.added_at),
        pins=tuple(
            PinView(issuer=each.pin.issuer.hex(), subject=_subject(each.certificate))
            for each in pins
            if each.pin.root == key
        ),
    )


def footing_view(steps: Steps, fingerprint: str, now: int) -> FootingView:
    """What a root's removal would mean. Raises TrustError."""
    anchor = steps.trusting.kept.anchor(fingerprint)
    footing = steps.trusting.footing(fingerprint, now)
    names = steps.groups.contacts.names()
    return FootingView(
        fingerprint=anchor.fingerprint.hex(),
        subject=_subject(anchor.certificate),
        own=footing.own,
        chats=[chat_name(chat, names) for chat in footing.chats],
        numbers=[number.e164 for number in footing.numbers],
        last=len(steps.trusting.kept.anchors()) == 1,
    )


def group_anchors_view(steps: Steps, group_id: bytes) -> GroupAnchorsView:
    """The set that a chat names. Raises ChatError."""
    named = steps.group_anchors.named(group_id)
    own = steps.groups.trust.fingerprint
    return GroupAnchorsView(
        group=group_id.hex(),
        named="" if named is None else named.hex(),
        own=own.hex(),
        same=not steps.group_anchors.differs(group_id),
    )


def _subject(certificate: x509.Certificate) -> str:
    return safe_line(certificate.subject.rfc4514_string())
