"""Lists of revocations: what they say, whom they speak of, and that each numbered check stops what it is for."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from identity.certificates import ChainVerifier
from identity.der import SEQUENCE, content_of, element, elements
from identity.errors import RevocationError
from identity.issuing import issuer_certificate
from identity.status.revocation import (
    CRL_LIFETIME_LIMIT,
    CRL_SIZE_LIMIT,
    CertificateStatus,
    Reason,
    RevocationList,
    Revocations,
    StatusState,
    issuer_name,
    sign_crl,
    verify_crl,
)
from tests.identity.conftest import ALICE, NOW, RANGE, YEAR, Authority, any_certificate, der, key_usage, private_key

DAY = 86_400
UTC_TIME, BIT_STRING = 0x17, 0x03  # tags
LEAF = 3  # the serial number of Authority.device_chain's leaf
ISSUER = 2


def signed(authority: Authority, entries=None, **changes) -> bytes:
    options = {"number": 7, "now": NOW, "lifetime": DAY} | changes
    listed = {LEAF: (NOW - 50, Reason.key_compromise)} if entries is None else entries
    return sign_crl(authority.issuer_key, authority.issuer(), listed, **options)


def verified(authority: Authority, octets: bytes, now: int = NOW + 10) -> RevocationList:
    return verify_crl(octets, der(authority.issuer()), now)


def built(
    authority: Authority, change: Callable[[x509.CertificateRevocationListBuilder], object] = lambda _: None, **options
) -> bytes:
    """A list with any field: `change` adds to the honest builder; None for an option leaves it out."""
    ski = authority.issuer().extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    given_ = {
        "issuer": authority.issuer().subject,
        "aki": x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ski),
        "number": x509.CRLNumber(7),
        "update": NOW,
        "next": NOW + DAY,
        "key": authority.issuer_key,
        "hash": hashes.SHA256(),
    } | options
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(given_["issuer"])
        .last_update(datetime.fromtimestamp(given_["update"], UTC))
        .next_update(datetime.fromtimestamp(given_["next"], UTC))
    )
    for extension in (given_["aki"], given_["number"]):
        if extension is not None:
            builder = builder.add_extension(extension, critical=False)
    builder = change(builder) or builder
    return builder.sign(given_["key"], given_["hash"]).public_bytes(Encoding.DER)


def entry(*extensions: tuple[x509.ExtensionType, bool], at: int = NOW - 50) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(LEAF).revocation_date(datetime.fromtimestamp(at, UTC))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.build()


def test_what_is_listed_is_revoked_and_the_rest_is_good_until_the_next_list_is_due(authority: Authority) -> None:
    found = verified(authority, signed(authority))
    assert found.of(LEAF, NOW) == CertificateStatus(StatusState.REVOKED, NOW - 50, Reason.key_compromise, NOW)
    assert found.of(LEAF, NOW + YEAR).state is StatusState.REVOKED
    assert found.of(99, NOW + DAY - 1) == CertificateStatus(StatusState.GOOD, this_update=NOW)
    assert found.of(99, NOW + DAY).state is StatusState.UNKNOWN


def test_no_reason_is_said_by_silence(authority: Authority) -> None:
    octets = signed(authority, {LEAF: (NOW - 50, Reason.unspecified)})
    (listed,) = x509.load_der_x509_crl(octets)
    assert not list(listed.extensions)
    assert verified(authority, octets).of(LEAF, NOW).reason is Reason.unspecified


def delta(builder: x509.CertificateRevocationListBuilder) -> x509.CertificateRevocationListBuilder:
    return builder.add_extension(x509.DeltaCRLIndicator(3), critical=True)


def of_others(builder: x509.CertificateRevocationListBuilder) -> x509.CertificateRevocationListBuilder:
    indirect = x509.IssuingDistributionPoint(None, None, False, False, None, True, False)
    return builder.add_extension(indirect, critical=False)


def unknown_critical(builder: x509.CertificateRevocationListBuilder) -> x509.CertificateRevocationListBuilder:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    return builder.add_extension(unknown, critical=True)


def without_an_end(authority: Authority) -> bytes:
    """A list that does not say when the next one is due, which the library would not build."""
    tbs, algorithm, _ = (octets for _, octets in elements(content_of(signed(authority))))
    times = [octets for tag, octets in elements(content_of(tbs)) if tag == UTC_TIME]
    assert len(times) == 2
    endless = element(SEQUENCE, content_of(tbs).replace(times[1], b"", 1))
    signature = authority.issuer_key.sign(endless, ec.ECDSA(hashes.SHA256()))
    return element(SEQUENCE, endless + algorithm + element(BIT_STRING, b"\0" + signature))


def with_entry(*extensions: tuple[x509.ExtensionType, bool], **options: int):
    return lambda builder: builder.add_revoked_certificate(entry(*extensions, **options))


SOMEBODY = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody")])
FOREIGN = x509.AuthorityKeyIdentifier.from_issuer_public_key(private_key(66).public_key())
BREAKS: list[tuple[str, int, str, Callable[[Authority], bytes]]] = [
    ("too large", 1, "too-large", lambda _: bytes(CRL_SIZE_LIMIT + 1)),
    ("no list", 1, "malformed", lambda _: b"\x30\x03\x02\x01\x05"),
    ("octets after it", 1, "malformed", lambda a: signed(a) + b"\0"),
    ("another issuer's name", 2, "issuer", lambda a: built(a, issuer=SOMEBODY)),
    ("another key's identifier", 2, "issuer", lambda a: built(a, aki=FOREIGN)),
    ("no key identifier", 2, "issuer", lambda a: built(a, aki=None)),
    ("another key", 4, "signature", lambda a: built(a, key=private_key(66))),
    ("another hash", 4, "algorithm", lambda a: built(a, hash=hashes.SHA512())),
    ("no number", 5, "number", lambda a: built(a, number=None)),
    ("a number over 20 octets", 5, "number", lambda a: built(a, number=x509.CRLNumber(2**159))),
    ("a list of changes", 6, "partial", lambda a: built(a, delta)),
    ("an indirect list", 6, "partial", lambda a: built(a, of_others)),
    ("an unknown critical extension", 6, "critical", lambda a: built(a, unknown_critical)),
    ("an entry of another issuer", 7, "entry",
     lambda a: built(a, with_entry((x509.CertificateIssuer([x509.DirectoryName(SOMEBODY)]), False)))),
    ("an entry with a critical extension", 7, "entry",
     lambda a: built(a, with_entry((x509.CRLReason(Reason.superseded), True)))),
    ("an entry of the future", 7, "entry", lambda a: built(a, with_entry(at=NOW + DAY))),
    ("an entry that takes one back", 7, "entry",
     lambda a: built(a, with_entry((x509.CRLReason(Reason.remove_from_crl), False)))),
    ("of the future", 8, "time", lambda a: signed(a, now=NOW + DAY)),
    ("without an end", 8, "time", without_an_end),
    ("valid for too long", 8, "time", lambda a: signed(a, lifetime=CRL_LIFETIME_LIMIT + 1)),
    ("over", 8, "expired", lambda a: signed(a, {}, now=NOW - 2 * DAY)),
]  # fmt: skip


@pytest.mark.parametrize(("number", "code", "broken"), [pytest.param(*each[1:], id=each[0]) for each in BREAKS])
def test_a_check_stops_what_it_is_for(
    authority: Authority, number: int, code: str, broken: Callable[[Authority], bytes]
) -> None:
    assert verified(authority, built(authority)).number == 7
    with pytest.raises(RevocationError) as caught:
        verified(authority, broken(authority))
    assert (caught.value.check, caught.value.code) == (number, code)


def test_an_issuer_that_may_not_sign_lists_is_refused(authority: Authority) -> None:
    fields = ((x509.BasicConstraints(True, 0), True), (key_usage(key_cert_sign=True), True))
    name = authority.issuer().subject
    own = any_certificate(authority.root_key, authority.root.subject, authority.issuer_key.public_key(), fields,
                          name=name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)  # fmt: skip
    with pytest.raises(RevocationError) as caught:
        verify_crl(signed(authority), der(own), NOW + 10)
    assert (caught.value.check, caught.value.code) == (3, "key-usage")


@given(st.binary(max_size=400))
def test_any_octets_are_refused_and_nothing_else_happens(octets: bytes) -> None:
    with pytest.raises(RevocationError):
        verified(Authority(), octets)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_a_list_with_other_octets_in_it_is_never_taken(place: int, octets: bytes) -> None:
    authority = Authority()
    honest = signed(authority)
    place %= len(honest)
    changed = honest[:place] + octets + honest[place + len(octets) :]
    if changed != honest:
        with pytest.raises(RevocationError):
            verified(authority, changed)


serials = st.integers(1, 2**159 - 1)
said = st.tuples(st.integers(NOW - 3, NOW), st.sampled_from([Reason.unspecified, Reason.superseded]))


@given(st.dictionaries(serials, said, max_size=40))
def test_every_entry_is_read_as_another_reader_reads_it(entries: dict[int, tuple[int, Reason]]) -> None:
    authority = Authority()
    octets = signed(authority, entries)
    ours = verified(authority, octets).entries
    crl = x509.load_der_x509_crl(octets)
    assert [*ours] == [each.serial_number for each in crl]
    assert {serial: at for serial, (at, _) in ours.items()} == {
        each.serial_number: int(each.revocation_date_utc.timestamp()) for each in crl
    }
    assert dict(ours) == entries


@pytest.mark.parametrize("place", [0, 20, 39])
def test_one_wrong_entry_among_many_alike_spoils_the_list(authority: Authority, place: int) -> None:
    honest, wrong = entry((x509.CRLReason(Reason.superseded), False)), entry((x509.CRLReason(Reason.superseded), True))

    def fill(builder: x509.CertificateRevocationListBuilder) -> x509.CertificateRevocationListBuilder:
        for at in range(40):
            builder = builder.add_revoked_certificate(wrong if at == place else honest)
        return builder

    with pytest.raises(RevocationError) as caught:
        verified(authority, built(authority, fill))
    assert (caught.value.check, caught.value.code) == (7, "entry")


def test_a_list_says_nothing_of_certificates_of_others(authority: Authority) -> None:
    other = Authority(issuer_key=private_key(67))  # the same root and name, another key
    lists = Revocations([verify_crl(signed(other), der(other.issuer()), NOW + 10)])
    own = ChainVerifier(authority.anchors).verify(authority.device_chain(private_key(1), ALICE), NOW)
    theirs = ChainVerifier(other.anchors).verify(other.device_chain(private_key(1), ALICE), NOW)
    assert own.serial == theirs.serial
    assert lists.status(own, NOW).state is StatusState.UNKNOWN
    assert lists.status(theirs, NOW).state is StatusState.REVOKED


def test_a_renewed_issuer_has_the_list_of_the_same_key_and_name(authority: Authority) -> None:
    key = authority.issuer_key.public_key()
    renewed = issuer_certificate(authority.root_key, authority.root, key, "Test issuer", RANGE, NOW + 9, YEAR, serial=8)
    assert der(renewed) != der(authority.issuer())
    assert issuer_name(der(renewed)) == issuer_name(der(authority.issuer()))


def remembering(authority: Authority) -> ChainVerifier:
    """A verifier that has met the issuer above another leaf."""
    chains = ChainVerifier(authority.anchors)
    chains.verify(authority.device_chain(private_key(2), ALICE), NOW)
    return chains


def test_a_chain_below_a_revoked_issuer_is_revoked(authority: Authority) -> None:
    chain = (*authority.device_chain(private_key(1), ALICE), der(authority.root))
    of_root = sign_crl(authority.root_key, authority.root, {ISSUER: (NOW - 9, Reason.ca_compromise)}, number=1, now=NOW,
                       lifetime=DAY)  # fmt: skip
    lists = Revocations([verify_crl(of_root, der(authority.root), NOW)])
    for chains in (ChainVerifier(authority.anchors), remembering(authority)):
        assert lists.status(chains.verify(chain[:2], NOW), NOW).state is StatusState.REVOKED
    assert lists.of_path(chain, NOW).state is StatusState.REVOKED
    assert lists.of_path(chain[:2], NOW).state is StatusState.UNKNOWN  # nobody has shown whose list it is


def test_an_older_list_is_not_adopted_until_all_that_was_known_is_over(authority: Authority) -> None:
    newer = verified(authority, signed(authority, number=9))
    lists = Revocations().adopting(newer)
    with pytest.raises(RevocationError) as caught:
        lists.adopting(verified(authority, signed(authority, {}, number=8)))
    assert (caught.value.check, caught.value.code) == (5, "rollback")
    assert lists.of_issuer(newer.issuer) is newer
    restored = verified(authority, signed(authority, {}, number=1, now=NOW + DAY + 5), NOW + DAY + 9)
    assert lists.adopting(restored).of_issuer(newer.issuer) is restored


@pytest.mark.parametrize("reason", [None, *Reason])
def test_a_status_is_read_back_as_it_was_kept(reason: Reason | None) -> None:
    status = CertificateStatus(StatusState.REVOKED, NOW, reason, NOW + 1)
    assert CertificateStatus.from_builtins(status.to_builtins()) == status
