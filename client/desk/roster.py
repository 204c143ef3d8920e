"""The members of a chat as views, and the group's check number."""

from collections.abc import Mapping, Sequence
from contextlib import suppress

import mls_rs
from cryptography import x509

from client.credentials.revocations import KnownRevocations
from client.defence.continuity import DeviceKey, How, key_part
from client.desk.people_views import KeyView
from client.desk.showing import moment
from client.desk.views import CertificateState, MemberView
from client.steps.device import number_of
from client.steps.groups import fingerprint
from client.words.wording import status_words
from identity.binding import DeviceVerifier
from identity.certificate_fields import validity
from identity.errors import IdentityError
from identity.number import TelephoneNumber
from identity.status.revocation import StatusState

EXPIRED = "~ CERTIFICATE HAS ENDED: the device renews it when it is next used"
REVOKED = "✗ CERTIFICATE REVOKED"
NEW_KEY = "not met: a new telephone, or a new holder of the number"
KEY_WORDS: dict[How | None, str] = {
    How.FIRST: "the first key of this number that you met",
    How.VOUCHED: "added by a device of the number that you had met",
    How.LINKED: "a device of your own, linked with this one",
    How.ROTATED: "took the place of a key that you had met, with that key's signature",
    How.ACCEPTED: "a new device or holder of the number, accepted by you",
    How.PERSON: "the same person, as you said",
    None: "seen in a chat that you have not accepted",
}
CHECK_GROUPS = 6  # of five digits each


def check_digits(authenticator: bytes) -> str:
    """The check number of an epoch authenticator (RFC 9420 §8.7): each five octets give five digits."""
    chunks = (authenticator[start : start + 5] for start in range(0, 5 * CHECK_GROUPS, 5))
    return " ".join(f"{int.from_bytes(chunk) % 100_000:05d}" for chunk in chunks)


def member_view(
    member: mls_rs.Member,
    verifier: DeviceVerifier,
    now: int,
    *,
    own: TelephoneNumber,
    this: bool,
    admins: frozenset[TelephoneNumber] | None,
    names: Mapping[str, str],
    known: DeviceKey,
    new: bool,
    status: str,
    revocations: KnownRevocations,
) -> MemberView:
    """One device, with what its certificate shows now. Without roles everybody is an admin."""
    number = number_of(member)
    state, words = _state(member, verifier, revocations, now)
    return MemberView(
        number=number.e164,
        name=names.get(number.e164) if not new and known.how is not How.ACCEPTED else None,
        you=number == own,
        other_device=number == own and not this,
        admin=admins is None or number in admins,
        leaf=member.index,
        proof=words,
        good=state == "valid",
        certificate_ends=moment(validity(x509.load_der_x509_certificate(member.credential.chain[0]))[1]),
        fingerprint=fingerprint(member).hex(),
        key=key_part(member.identity),
        met=not new,
        named=not new and known.how is not How.ACCEPTED,
        first_seen=moment(known.first_seen) if known.first_seen else None,
        status=status,
        state=state,
    )


def key_view(number: TelephoneNumber, key: DeviceKey, *, new: bool) -> KeyView:
    """One key of a number."""
    return KeyView(
        number=number.e164,
        key=key.key,
        met=not new,
        named=not new and key.how is not How.ACCEPTED,
        words=KEY_WORDS[key.how] if not new else NEW_KEY,
        first_seen=moment(key.first_seen),
    )


def _state(
    member: mls_rs.Member, verifier: DeviceVerifier, revocations: KnownRevocations, now: int
) -> tuple[CertificateState, str]:
    chain, key = member.credential.chain, member.signature_key
    status = revocations.status(chain, now)
    if status.state is StatusState.REVOKED:
        return "revoked", f"{REVOKED}: {status_words(status)}"
    try:
        verifier.verify(chain, key, now)
    except IdentityError as error:
        if error.code == "expired" and _was_valid(chain, key, verifier, now):
            return "expired", EXPIRED
        return "invalid", f"✗ CERTIFICATE NOT VALID: {error}"
    return "valid", "✓ NUMBER VERIFIED"


def _was_valid(chain: Sequence[bytes], key: bytes, verifier: DeviceVerifier, now: int) -> bool:
    with suppress(IdentityError):
        return bool(verifier.verify_member(chain, key, now))
    return False
