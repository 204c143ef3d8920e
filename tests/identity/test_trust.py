"""Trust: what each switch of the policy lets pass, what a pin refuses, and when two sets have one name."""

from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier

from identity.certificate_fields import ENHANCED_CLAIM_CONSTRAINTS_OID
from identity.certificates import ChainVerifier, verify_chain
from identity.errors import CertificateError
from identity.issuer_path import issuer_keys, verify_issuer, verify_issuer_path
from identity.issuing import MESSAGING_ONLY, issue_device_certificate, issuer_certificate
from identity.tn_auth_list import ServiceProviderCode, TNAuthList
from identity.trust import DEFAULT_POLICY, CodeParents, Pin, TrustAnchors, TrustPolicy, key_hash
from identity.verdict import Verdict
from tests.identity.conftest import (
    ALICE,
    LEAF_FIELDS,
    NOW,
    RANGE,
    YEAR,
    Authority,
    Extension,
    PrivateKey,
    Scene,
    any_certificate,
    der,
    key_usage,
    one,
    private_key,
    rsa_key,
    tn_extension,
)
from tests.identity.test_delegation import CARRIER, ENTERPRISE, Line

AUTHORITY = Authority()
ATIS, ELSEWHERE, ANY = "2.16.840.1.114569.1.1.4", "1.3.6.1.4.1.99999.1", "2.5.29.32.0"
CA_FIELDS: tuple[Extension, ...] = (
    (x509.BasicConstraints(ca=True, path_length=0), True),
    (key_usage(key_cert_sign=True, crl_sign=True), True),
)


@dataclass(frozen=True)
class KnownLog:
    """A log by its id."""

    log_id: bytes


def policies(*oids: str, critical: bool = False) -> Extension:
    stated = [x509.PolicyInformation(ObjectIdentifier(oid), None) for oid in oids]
    return x509.CertificatePolicies(stated), critical


def chain(leaf: Sequence[Extension] = (), issuer: Sequence[Extension] = ()) -> tuple[bytes, ...]:
    """Alice's chain with further extensions in the leaf and the issuer."""
    key = AUTHORITY.issuer_key
    above = any_certificate(
        AUTHORITY.root_key,
        AUTHORITY.root.subject,
        key.public_key(),
        (*CA_FIELDS, tn_extension(RANGE), *issuer),
        name="issuer",
    )
    fields = (*LEAF_FIELDS, tn_extension(one(ALICE)), *leaf)
    return der(any_certificate(key, above.subject, private_key(1).public_key(), fields)), der(above)


def outcome(octets: Sequence[bytes], policy: TrustPolicy, anchors: TrustAnchors = AUTHORITY.anchors) -> str:
    """ "accepted" or the code; the same of a leaf alone and of one below an issuer that was met before."""
    anchors = replace(anchors, policy=policy)
    verifier = ChainVerifier(anchors)
    issuers_known = ChainVerifier(anchors)
    with suppress(CertificateError):  # then it knows nothing, and the outcome is that of the whole path
        issuers_known.verify(chain(), NOW)
    codes = set()
    for verify in (verifier.verify, issuers_known.verify):
        try:
            verify(octets, NOW)
            codes.add("accepted")
        except CertificateError as error:
            codes.add(error.code)
    (code,) = codes
    return code


KNOWN_ONLY = TrustPolicy(unknown_policies=False)


@pytest.mark.parametrize("critical", [False, True])
@pytest.mark.parametrize(
    ("leaf", "issuer", "code"),
    [
        ((), (), "accepted"),
        ((ATIS,), (ATIS,), "accepted"),
        ((ATIS,), (ANY,), "accepted"),
        ((ELSEWHERE, ATIS), (ATIS,), "accepted"),
        (("1.2.250.1.695.1.1.1.1",), (), "accepted"),
        ((ELSEWHERE,), (ATIS,), "unknown-policy"),
        ((ANY,), (ATIS,), "unknown-policy"),
        ((ATIS,), (ELSEWHERE,), "unknown-policy"),
        (("2.16.840.1.114569.1.10",), (), "unknown-policy"),
    ],
)
def test_certificate_policies_are_known_ones_where_that_is_asked_for(
    leaf: Sequence[str], issuer: Sequence[str], code: str, critical: bool
) -> None:
    octets = chain(*([policies(*oids, critical=critical)] if oids else [] for oids in (leaf, issuer)))
    assert outcome(octets, KNOWN_ONLY) == code
    assert outcome(octets, DEFAULT_POLICY) == "accepted"


def test_a_leaf_for_a_carriers_code_is_a_switch() -> None:
    line = Line().below(CARRIER)
    for entries in (TNAuthList((ServiceProviderCode("1234"),)), TNAuthList((*one(ALICE).entries, *CARRIER.entries))):
        octets = line.leaf(entries)
        assert outcome(octets, DEFAULT_POLICY, line.anchors()) == "accepted"
        assert outcome(octets, TrustPolicy(code_leaves=False), line.anchors()) == "code-leaf"
    assert outcome(line.leaf(one(ALICE)), TrustPolicy(code_leaves=False), line.anchors()) == "accepted"


def test_below_a_root_with_pins_only_those_issuers_count() -> None:
    root = key_hash(AUTHORITY.root)
    pinned = TrustPolicy(pins=frozenset({Pin(root, key_hash(AUTHORITY.issuer()))}))
    other = Authority(issuer_key=private_key(55))
    octets = AUTHORITY.device_chain(private_key(1), ALICE)
    assert outcome(octets, pinned) == "accepted"
    assert outcome(other.device_chain(private_key(1), ALICE), pinned) == "not-pinned"
    assert outcome(other.device_chain(private_key(1), ALICE), DEFAULT_POLICY) == "accepted"


def test_a_pin_below_one_root_says_nothing_of_another() -> None:
    other = Authority(root_key=private_key(77), issuer_key=private_key(78))
    pin = TrustPolicy(pins=frozenset({Pin(key_hash(other.root), bytes(32))}))
    both = TrustAnchors((AUTHORITY.root, other.root))
    assert outcome(AUTHORITY.device_chain(private_key(1), ALICE), pin, both) == "accepted"
    assert outcome(other.device_chain(private_key(1), ALICE), pin, both) == "not-pinned"


def test_a_leaf_directly_below_a_root_with_pins_passes_no_issuer() -> None:
    leaf = issue_device_certificate(AUTHORITY.root_key, AUTHORITY.root, private_key(1).public_key(), ALICE, NOW)
    pin = TrustPolicy(pins=frozenset({Pin(key_hash(AUTHORITY.root), key_hash(AUTHORITY.root))}))
    assert outcome([der(leaf)], DEFAULT_POLICY) == "accepted"
    assert outcome([der(leaf)], pin) == "not-pinned"


@pytest.mark.parametrize(("place", "code"), [(1, "accepted"), (2, "accepted"), (0, "not-pinned")])
def test_a_path_may_pass_the_pinned_issuer_at_any_level(place: int, code: str) -> None:
    line = Line().below(CARRIER, 1).below(ENTERPRISE)
    pins = frozenset({Pin(key_hash(line.certificates[0]), key_hash(line.certificates[place]))})
    assert outcome(line.device(ALICE), TrustPolicy(pins=pins), line.anchors()) == code


def test_a_pin_outlives_the_renewal_of_issuer_and_root() -> None:
    renewed = issuer_certificate(
        AUTHORITY.root_key, AUTHORITY.root, AUTHORITY.issuer_key.public_key(), "Renewed", RANGE, NOW, YEAR
    )
    leaf = issue_device_certificate(AUTHORITY.issuer_key, renewed, private_key(1).public_key(), ALICE, NOW)
    pins = frozenset({Pin(key_hash(AUTHORITY.root), key_hash(AUTHORITY.issuer()))})
    assert outcome((der(leaf), der(renewed)), TrustPolicy(pins=pins)) == "accepted"


DIFFERENCES: dict[str, TrustPolicy] = {
    "RSA issuers": TrustPolicy(non_ecdsa_issuers=True),
    "codes delegate nothing": TrustPolicy(code_parents=CodeParents.REFUSE),
    "no code in leaves": TrustPolicy(code_leaves=False),
    "known policies only": TrustPolicy(unknown_policies=False),
    "a pin": TrustPolicy(pins=frozenset({Pin(bytes(32), bytes(32))})),
    "another pin": TrustPolicy(pins=frozenset({Pin(bytes(32), b"\x01" * 32)})),
    "a log": TrustPolicy(logs=(KnownLog(bytes(32)),)),
    "logs vouch": TrustPolicy(scts=1),
    "URIs": TrustPolicy(uri_identities=True),
    "a directory": TrustPolicy(directory=(("1234", ENTERPRISE),)),
}


def test_the_name_of_a_set_changes_with_everything_that_changes_results() -> None:
    names = {replace(AUTHORITY.anchors, policy=policy).fingerprint for policy in DIFFERENCES.values()}
    assert len(names | {AUTHORITY.anchors.fingerprint}) == len(DIFFERENCES) + 1


def test_the_name_of_a_set_does_not_depend_on_any_order() -> None:
    logs, directory = (KnownLog(bytes(32)), KnownLog(b"\x01" * 32)), (("12", ENTERPRISE), ("34", CARRIER))
    one_way = TrustAnchors((AUTHORITY.root,), TrustPolicy(logs=logs, directory=directory))
    other_way = TrustAnchors((AUTHORITY.root,), TrustPolicy(logs=logs[::-1], directory=directory[::-1]))
    assert one_way.fingerprint == other_way.fingerprint


def test_the_default_policy_leaves_the_roots_name() -> None:
    assert DEFAULT_POLICY.canonical() == b""
    assert TrustAnchors((AUTHORITY.root,), TrustPolicy()).fingerprint == AUTHORITY.anchors.fingerprint


def test_a_signer_of_lists_may_be_any_issuer_of_a_path_or_only_ones_own() -> None:
    line = Line().below(CARRIER, 1).below(ENTERPRISE)
    path = [der(each) for each in reversed(line.certificates[1:])]
    own = issuer_keys(line.device(ALICE))
    assert verify_issuer(path, line.anchors(), NOW, own)[1] == ENTERPRISE
    assert verify_issuer(path[1:], line.anchors(), NOW, own)[1] == CARRIER
    assert verify_issuer(path, line.anchors(), NOW)[1] == ENTERPRISE
    with pytest.raises(CertificateError) as refused:
        verify_issuer(path, line.anchors(), NOW, {bytes(32)})
    assert refused.value.code == "signer"


@pytest.mark.parametrize("path", [[], [der(AUTHORITY.issuer())] * 4, [der(AUTHORITY.root)]])
def test_a_signers_path_is_exactly_its_issuers(path: list[bytes]) -> None:
    with pytest.raises(CertificateError) as refused:
        verify_issuer(path, AUTHORITY.anchors, NOW)
    assert refused.value.code == "untrusted"


def test_a_signer_obeys_pins_and_policies_as_a_chain_does() -> None:
    root = key_hash(AUTHORITY.root)
    path = [der(AUTHORITY.issuer())]
    pinned = {"pins": frozenset({Pin(root, key_hash(AUTHORITY.issuer()))})}
    assert verify_issuer(path, replace(AUTHORITY.anchors, policy=TrustPolicy(**pinned)), NOW)[1] == RANGE
    other = replace(AUTHORITY.anchors, policy=TrustPolicy(pins=frozenset({Pin(root, bytes(32))})))
    with pytest.raises(CertificateError) as refused:
        verify_issuer(path, other, NOW)
    assert refused.value.code == "not-pinned"


def signer(*extensions: Extension, root: TrustAnchors = AUTHORITY.anchors, key: PrivateKey | None = None) -> bytes:
    """An issuer's certificate with any fields, below a root."""
    subject, public = root.roots[0].subject, AUTHORITY.issuer_key.public_key()
    fields = extensions or (*CA_FIELDS, tn_extension(RANGE))
    return der(any_certificate(key or AUTHORITY.root_key, subject, public, fields, name="issuer"))


def refused_signer(path: Sequence[bytes], anchors: TrustAnchors = AUTHORITY.anchors) -> tuple[str, str]:
    codes = []
    for verifier in (verify_issuer, verify_issuer_path):
        try:
            verifier(path, anchors, NOW)
            codes.append("")
        except CertificateError as refused:
            codes.append(refused.code)
    return codes[0], codes[1]


def test_a_signer_of_lists_is_an_issuer_that_may_sign_them_and_says_of_which_numbers() -> None:
    certifies = (CA_FIELDS[0], (key_usage(key_cert_sign=True), True), tn_extension(RANGE))
    assert refused_signer([signer()]) == ("", "")
    assert refused_signer([signer(*certifies)]) == ("key-usage", "")
    assert refused_signer([signer(*CA_FIELDS)]) == ("tn-auth-list", "")
    end_entity = AUTHORITY.chain((*LEAF_FIELDS, tn_extension(one(ALICE))))
    assert refused_signer(end_entity) == ("no-ca", "no-ca")


def test_a_signer_of_lists_stands_where_an_issuer_may_stand() -> None:
    """RFC 5280 §4.2.1.9 does not count the last certificate of a path; below this one devices are to follow."""
    above = AUTHORITY.issuer()  # for end entities only
    below = any_certificate(AUTHORITY.issuer_key, above.subject, private_key(9).public_key(),
                            (*CA_FIELDS, tn_extension(RANGE)), name="below")  # fmt: skip
    assert refused_signer([der(below), der(above)]) == ("path-length", "path-length")


def test_a_signer_of_lists_is_held_to_algorithms_and_certificate_policies_as_a_chain_is() -> None:
    key = rsa_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "RSA root")])
    fields = ((x509.BasicConstraints(ca=True, path_length=None), True), CA_FIELDS[1])
    root = TrustAnchors((any_certificate(key, name, key.public_key(), fields, name="RSA root"),))
    path = [signer(root=root, key=key)]
    assert refused_signer(path, root) == ("issuer-algorithm", "issuer-algorithm")
    assert refused_signer(path, replace(root, policy=TrustPolicy(non_ecdsa_issuers=True))) == ("", "")
    known = replace(AUTHORITY.anchors, policy=TrustPolicy(unknown_policies=False))
    elsewhere = [signer(*CA_FIELDS, tn_extension(RANGE), policies(ELSEWHERE))]
    assert refused_signer(elsewhere, known) == ("unknown-policy", "unknown-policy")


def test_evidence_of_a_chain_does_not_change_with_a_policy_that_accepts_it() -> None:
    octets = AUTHORITY.device_chain(private_key(1), ALICE)
    strict = TrustPolicy(code_leaves=False, unknown_policies=False)
    assert verify_chain(octets, AUTHORITY.anchors, NOW) == verify_chain(
        octets, replace(AUTHORITY.anchors, policy=strict), NOW
    )


ROOT, ISSUER = key_hash(AUTHORITY.root), key_hash(AUTHORITY.issuer())


@pytest.mark.parametrize(
    ("policy", "leaf", "reason"),
    [
        (TrustPolicy(pins=frozenset({Pin(ROOT, bytes(32))})), (), "not by an issuer that is pinned"),
        (KNOWN_ONLY, (policies(ELSEWHERE),), "under a policy that is not known"),
    ],
)
def test_a_message_that_a_policy_refuses_says_which_part_of_it(
    scene: Scene, policy: TrustPolicy, leaf: Sequence[Extension], reason: str
) -> None:
    if leaf:
        constraints = x509.UnrecognizedExtension(ENHANCED_CLAIM_CONSTRAINTS_OID, MESSAGING_ONLY.encode_9118())
        scene.use_chain(chain((*leaf, (constraints, False))))
    assert scene.verify().verdict is Verdict.VERIFIED
    scene.chains = ChainVerifier(replace(AUTHORITY.anchors, policy=policy))
    verification = scene.verify()
    assert (verification.verdict, verification.failed_check.number, verification.code) == (Verdict.FAILED, 5, 437)
    assert reason in verification.reason


def test_a_verdict_names_the_set_with_its_policy(scene: Scene) -> None:
    pinned = TrustPolicy(pins=frozenset({Pin(ROOT, ISSUER)}))
    scene.chains = ChainVerifier(replace(AUTHORITY.anchors, policy=pinned))
    evidence = scene.verify().evidence
    assert evidence is not None
    assert evidence.anchors == replace(AUTHORITY.anchors, policy=pinned).fingerprint != AUTHORITY.anchors.fingerprint


def pem(octets: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + b64encode(octets) + b"\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("field", "changed"),
    [("a003020102", "a003020107"), ("020101", "020100")],
    ids=["a version that there is not", "a serial number that is not positive"],
)
def test_a_trust_list_with_a_root_that_cannot_be_read_is_refused(field: str, changed: str) -> None:
    octets = der(AUTHORITY.root).replace(bytes.fromhex(field), bytes.fromhex(changed), 1)
    with pytest.raises(CertificateError) as refused:
        TrustAnchors.from_pem(pem(octets))
    assert refused.value.code == "malformed"
