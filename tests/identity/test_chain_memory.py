"""ChainVerifier remembers chains and issuers, and is no less strict for it."""

from collections.abc import Sequence

import pytest
from cryptography import x509

from identity.certificates import ChainVerifier, TrustAnchors, verify_chain
from identity.errors import CertificateError
from identity.issuing import DEVICE_LIFETIME, issuer_certificate, root_certificate
from identity.tn_auth_list import OneNumber, TNAuthList
from tests.identity.conftest import (
    ALICE,
    BOB,
    LEAF_FIELDS,
    NOW,
    RANGE,
    YEAR,
    Authority,
    Extension,
    any_certificate,
    der,
    one,
    private_key,
    tn_extension,
)
from tests.identity.test_chain_verification import CA_FIELDS, LEAVES

AUTHORITY = Authority()
DAY = 86_400


def test_a_remembered_chain_still_has_its_time() -> None:
    chains = ChainVerifier(AUTHORITY.anchors)
    chain = AUTHORITY.device_chain(private_key(1), ALICE)
    first = chains.verify(chain, NOW)
    assert chains.verify(list(chain), NOW + 1) is first
    for now, code in ((NOW - 3_601, "not-yet-valid"), (NOW + DEVICE_LIFETIME + 1, "expired")):
        with pytest.raises(CertificateError) as refused:
            chains.verify(chain, now)
        assert refused.value.code == code


@pytest.mark.parametrize("first", [NOW - DAY, NOW + DAY])
def test_a_chain_that_was_remembered_below_one_root_counts_below_another_of_the_same_key(first: int) -> None:
    """A root is renewed with its key: the old and the new certificate stand in one trust list, each with its time."""
    key = AUTHORITY.root_key
    old = root_certificate(key, "Test root", NOW - YEAR, YEAR, serial=1)
    new = root_certificate(key, "Test root", NOW, YEAR, serial=2)
    whole = root_certificate(key, "Test root", NOW - YEAR, 9 * YEAR, serial=1)
    issuer_key = AUTHORITY.issuer_key.public_key()
    issuer = issuer_certificate(key, whole, issuer_key, "Test issuer", RANGE, NOW - 9 * DAY, YEAR)
    leaves = [
        any_certificate(AUTHORITY.issuer_key, issuer.subject, private_key(each).public_key(),
                        (*LEAF_FIELDS, tn_extension(one(ALICE))), period=(NOW - 2 * DAY, NOW + 2 * DAY))
        for each in (1, 2)
    ]  # fmt: skip
    anchors = TrustAnchors((old, new))
    chains = ChainVerifier(anchors)
    one_chain, other_chain = [(der(leaf), der(issuer)) for leaf in leaves]
    chains.verify(one_chain, first)
    for chain in (one_chain, other_chain):
        for now in (NOW - DAY, NOW + DAY):
            assert chains.verify(chain, now) == verify_chain(chain, anchors, now)


def siblings(*fields: Extension) -> tuple[ChainVerifier, tuple[bytes, ...]]:
    """A verifier that has met the issuer above another leaf, and a chain of that issuer's with any fields."""
    chains = ChainVerifier(AUTHORITY.anchors)
    chains.verify(AUTHORITY.device_chain(private_key(2), BOB), NOW)
    return chains, AUTHORITY.chain((*fields, tn_extension(one(ALICE))))


def test_a_known_issuer_makes_the_same_result() -> None:
    chains, chain = siblings(*LEAF_FIELDS)
    again, anew = chains.verify(chain, NOW), verify_chain(chain, AUTHORITY.anchors, NOW)
    assert again == anew


@pytest.mark.parametrize(("fields", "code"), LEAVES.values(), ids=LEAVES.keys())
def test_a_known_issuer_excuses_no_leaf(fields: Sequence[Extension], code: str) -> None:
    chains, chain = siblings(*fields)
    with pytest.raises(CertificateError) as refused:
        chains.verify(chain, NOW)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("leaf", "code"),
    [
        (any_certificate(private_key(9), AUTHORITY.issuer().subject, private_key(1).public_key(),
                         (*LEAF_FIELDS, tn_extension(one(ALICE)))), "untrusted"),
        (any_certificate(AUTHORITY.issuer_key, AUTHORITY.issuer().subject, private_key(1).public_key(),
                         (*LEAF_FIELDS, tn_extension(TNAuthList((OneNumber("447700900123"),))))), "encompassing"),
        (any_certificate(AUTHORITY.issuer_key, AUTHORITY.issuer().subject, private_key(1).public_key(),
                         (*LEAF_FIELDS, tn_extension(one(ALICE))), period=(NOW - 9, NOW - 1)), "expired"),
    ],
    ids=["other key", "other number", "other time"],
)  # fmt: skip
def test_a_known_issuer_vouches_only_for_its_own(leaf: x509.Certificate, code: str) -> None:
    chains, chain = siblings(*LEAF_FIELDS)
    with pytest.raises(CertificateError) as refused:
        chains.verify((der(leaf), chain[1]), NOW)
    assert refused.value.code == code


def test_a_known_issuer_still_has_its_time() -> None:
    chains, chain = siblings(*LEAF_FIELDS)
    long_lived = AUTHORITY.chain((*LEAF_FIELDS, tn_extension(one(ALICE))), period=(NOW, NOW + 3 * YEAR))
    for after_the_issuer in (chain, long_lived):
        with pytest.raises(CertificateError) as refused:
            chains.verify(after_the_issuer, NOW + 2 * YEAR)
        assert refused.value.code == "expired"


def test_an_issuer_with_name_constraints_is_validated_above_each_leaf() -> None:
    """The library applies name constraints along the whole path, so no part of such a path is left out."""
    allowed = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None)
    issuer = any_certificate(AUTHORITY.root_key, AUTHORITY.root.subject, AUTHORITY.issuer_key.public_key(),
                             (*CA_FIELDS, (allowed, True)), name="issuer")  # fmt: skip

    def chain(name: str) -> tuple[bytes, ...]:
        san = x509.SubjectAlternativeName([x509.DNSName(name)])
        fields = (*LEAF_FIELDS, tn_extension(one(ALICE)), (san, False))
        key = private_key(1).public_key()
        return der(any_certificate(AUTHORITY.issuer_key, issuer.subject, key, fields)), der(issuer)

    chains = ChainVerifier(AUTHORITY.anchors)
    assert chains.verify(chain("a.example.org"), NOW).number == ALICE
    with pytest.raises(CertificateError) as refused:
        chains.verify(chain("example.com"), NOW)
    assert refused.value.code == "untrusted"


def test_name_constraints_of_a_root_hold_for_each_leaf_below_its_issuers() -> None:
    allowed = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None)
    key, name = AUTHORITY.root_key, AUTHORITY.root.subject
    root = any_certificate(key, name, key.public_key(), (*CA_FIELDS, (allowed, True)), name="Test root")
    issuer = any_certificate(key, name, AUTHORITY.issuer_key.public_key(), CA_FIELDS, name="issuer")

    def chain(host: str) -> tuple[bytes, ...]:
        fields = (*LEAF_FIELDS, tn_extension(one(ALICE)), (x509.SubjectAlternativeName([x509.DNSName(host)]), False))
        leaf = any_certificate(AUTHORITY.issuer_key, issuer.subject, private_key(1).public_key(), fields)
        return der(leaf), der(issuer)

    chains = ChainVerifier(TrustAnchors((root,)))
    assert chains.verify(chain("a.example.org"), NOW).number == ALICE
    with pytest.raises(CertificateError) as refused:
        chains.verify(chain("example.com"), NOW)
    assert refused.value.code == "untrusted"


def test_the_memory_is_bounded_and_holds_only_valid_chains() -> None:
    chains = ChainVerifier(AUTHORITY.anchors, memo_limit=2)
    all_chains = [AUTHORITY.device_chain(private_key(n), ALICE) for n in (1, 2, 3)]
    for chain in all_chains:
        chains.verify(chain, NOW)
    assert [chains.known(chain) is not None for chain in all_chains] == [False, True, True]
    with pytest.raises(CertificateError):
        chains.verify(all_chains[1][:1], NOW)
    assert chains.known(all_chains[1][:1]) is None
