"""The entries of a certificate revocation list (RFC 5280 §5.3): a serial number each, with time and reason.

A list of many thousands says few different things: what is said of a certificate, time and extensions, is read once for
all entries whose octets say it alike.
"""

from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import CRLEntryExtensionOID

from identity.der import SEQUENCE, bounds, content_of, elements
from identity.errors import RevocationError

Reason = x509.ReasonFlags

_TIMES = frozenset({0x17, 0x18})  # UTCTime, GeneralizedTime
_MALFORMED = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)


def read_entries(der: bytes, crl: x509.CertificateRevocationList, latest: int) -> dict[int, tuple[int, Reason]]:
    """The serial numbers in a list, with time and reason; no time is after `latest`. Raises RevocationError.

    `crl`: the same list (DER), parsed.
    """
    found: dict[int, tuple[int, Reason]] = {}
    known: dict[bytes, tuple[int, Reason]] = {}
    place = 0
    try:
        for place, (serial, said) in enumerate(_encoded(der), 1):
            what = known.get(said)
            if what is None:
                what = known[said] = _read(crl[place - 1], serial, latest)
            found[serial] = what
        if place != len(crl):
            raise ValueError("the entries are not those that were parsed")
    except _MALFORMED as error:
        raise RevocationError("malformed", "an entry of the list cannot be read", check=1) from error
    return found


def _read(entry: x509.RevokedCertificate, serial: int, latest: int) -> tuple[int, Reason]:
    reason = Reason.unspecified
    for extension in entry.extensions:
        if extension.critical or extension.oid == CRLEntryExtensionOID.CERTIFICATE_ISSUER:
            raise RevocationError("entry", "an entry is of another issuer, or says what is unknown", check=7)
        if isinstance(extension.value, x509.CRLReason):
            reason = extension.value.reason
    revoked_at = int(entry.revocation_date_utc.timestamp())
    if revoked_at > latest or reason is Reason.remove_from_crl:
        raise RevocationError("entry", "an entry is of the future, or takes another one back", check=7)
    if entry.serial_number != serial:
        raise ValueError("the entry is not the one that was parsed")
    return revoked_at, reason


def _encoded(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The serial number of each entry, and the octets behind it, in a CertificateList that was parsed before."""
    tbs, *_ = elements(content_of(der))
    fields = elements(content_of(tbs[1]))
    behind_times = max(place for place, (tag, _) in enumerate(fields) if tag in _TIMES) + 1
    if behind_times == len(fields) or fields[behind_times][0] != SEQUENCE:
        return  # revokedCertificates is absent where nothing is revoked
    octets = content_of(fields[behind_times][1])
    position = 0
    while position < len(octets):
        start, end = bounds(octets, position)
        serial, said = bounds(octets, start)
        yield int.from_bytes(octets[serial:said], signed=True), octets[said:end]
        position = end
