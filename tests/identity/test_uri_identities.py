"""Participants without a number: who may certify their URIs, and that no group takes them (RFC 9475 §4)."""

from base64 import b64encode
from typing import Any

import pytest
from cryptography import x509

from identity import (
    BindingError,
    CertificateError,
    ChainVerifier,
    Expected,
    TNAuthList,
    TrustAnchors,
    Verdict,
    attest,
    verify,
)
from identity.certificates import public_point, verify_chain
from identity.device import DeviceVerifier
from identity.passport import message_digest, sign_token
from identity.tn_auth_list import ServiceProviderCode
from identity.trust import TrustPolicy
from identity.uri_identity import host_of, is_identity_uri
from tests.identity.conftest import (
    ALICE,
    LEAF_FIELDS,
    NOW,
    Authority,
    any_certificate,
    der,
    key_usage,
    private_key,
    tn_extension,
)

TEXT = b"Watson, come here."
KEY = private_key(1)


class Uris:
    """An issuer for the hosts of example.org, and somebody with two addresses there."""

    NAMES = ("sip:alice@example.org", "mimi://chat.example.org/u/alice")

    def __init__(self, authority: Authority, hosts: tuple[str, ...] = ("example.org",), **issuer: Any) -> None:
        key = private_key(31)
        extensions: list[Any] = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (key_usage(key_cert_sign=True, crl_sign=True), True),
        ]
        if hosts:
            excluded = [*map(x509.DNSName, issuer.get("excluded", ()))] or None
            extensions.append((x509.NameConstraints([*map(x509.DNSName, hosts)], excluded), True))
        if "numbers" in issuer:
            extensions.append(tn_extension(issuer["numbers"]))
        root = authority.root
        above = any_certificate(authority.root_key, root.subject, key.public_key(), extensions, name="Names of example")
        names = issuer.get("names", self.NAMES)
        leaf_extensions = [*LEAF_FIELDS]
        if names:
            leaf_extensions.append((x509.SubjectAlternativeName([*map(x509.UniformResourceIdentifier, names)]), False))
        leaf = any_certificate(key, above.subject, KEY.public_key(), leaf_extensions)
        self.chain = (der(leaf), der(above))

    def verify(self, authority: Authority, orig: str, policy: TrustPolicy) -> Any:
        token = attest(KEY, self.chain, orig=orig, dest={"sip:bob@example.com"}, content=TEXT, now=NOW)
        chains = ChainVerifier(TrustAnchors((authority.root,), policy))
        return verify(token, TEXT, Expected(NOW + 2, orig, {"sip:bob@example.com"}), chains, None)


URIS = TrustPolicy(uri_identities=True)


@pytest.mark.parametrize("orig", Uris.NAMES)
def test_a_participant_without_a_number_is_verified_where_the_policy_takes_uris(
    authority: Authority, orig: str
) -> None:
    result = Uris(authority).verify(authority, orig, URIS)
    assert (result.verdict, result.number) == (Verdict.VERIFIED, None)
    assert orig in result.checks[6].compared
    refused = Uris(authority).verify(authority, orig, TrustPolicy())
    assert refused.failed_check.number == 3


@pytest.mark.parametrize(
    "uris",
    [
        {"hosts": ()},
        {"hosts": ("example.com",)},
        {"hosts": ("ample.org",)},
        {"numbers": TNAuthList((ServiceProviderCode("1234"),))},
        {"names": ("sip:alice@example.org", "sip:alice@example.net")},
        {"excluded": ("example.org",)},
        {"names": ("sip:alice@example.org", "sip:alice@a.chat.example.org"), "excluded": ("Chat.Example.org",)},
        {"excluded": (".org",)},
    ],
    ids=["no hosts", "another host", "a host that only ends alike", "an issuer of numbers", "one URI too far",
         "a host that is taken out", "a host below one that is taken out", "a host below a name with a dot"],
)  # fmt: skip
def test_who_certifies_uris_is_bound_to_their_hosts(authority: Authority, uris: dict[str, Any]) -> None:
    result = Uris(authority, **uris).verify(authority, "sip:alice@example.org", URIS)
    assert (result.failed_check.number, result.code) == (5, 437)


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("sip:alice@example.org", "example.org"),
        ("sip:alice@example.org:5061;transport=tls", "example.org"),
        ("mimi://example.org/u/alice@example.net", "example.org"),
        ("https://example.org:8443?who=a@example.net", "example.org"),
        ("https://example.net;@example.org/", ""),
        ("https://Example.net/@example.org", ""),
        ("https://example.net:999999/@example.org", ""),
        ("https://alice@example.net/@example.org", ""),
        ("sip:alice@example.net@example.org", ""),
        ("sip:alice@example.net;x@example.org", "example.net"),
        ("sip:alice", ""),
        ("tel:+12025550142@example.org", ""),
    ],
)
def test_a_uri_has_the_one_host_that_everybody_reads_in_it(uri: str, host: str) -> None:
    assert (host_of(uri), is_identity_uri(uri)) == (host, bool(host))


def test_a_uri_that_the_certificate_does_not_hold_is_not_its_holders(authority: Authority) -> None:
    uris = Uris(authority)
    claims = {"dest": {"tn": ["1"]}, "iat": NOW, "msgi": message_digest(TEXT), "orig": {"uri": "sip:bob@example.org"}}
    x5c = [b64encode(each).decode() for each in uris.chain]
    token = sign_token(KEY, {"alg": "ES256", "ppt": "msg", "typ": "passport", "x5c": x5c}, claims)
    chains = ChainVerifier(TrustAnchors((authority.root,), URIS))
    result = verify(token, TEXT, Expected(NOW + 2, None, ()), chains, None)
    assert result.failed_check is not None
    assert (result.failed_check.number, result.code) == (6, 437)
    number = sign_token(
        KEY, {"alg": "ES256", "ppt": "msg", "typ": "passport", "x5c": x5c}, claims | {"orig": {"tn": ALICE.digits}}
    )
    assert verify(number, TEXT, Expected(NOW + 2, None, ()), chains, None).code == 437


def test_a_participant_without_a_number_is_no_member_of_a_group(authority: Authority) -> None:
    devices = DeviceVerifier(TrustAnchors((authority.root,), URIS))
    with pytest.raises(BindingError, match="exactly one number"):
        devices.verify(Uris(authority).chain, public_point(KEY.public_key()), NOW)


def test_a_leaf_with_uris_alone_is_no_valid_chain_without_the_switch(authority: Authority) -> None:
    chain = Uris(authority).chain
    assert verify_chain(chain, TrustAnchors((authority.root,), URIS), NOW).uris == Uris.NAMES
    with pytest.raises(CertificateError) as refused:
        verify_chain(chain, TrustAnchors((authority.root,)), NOW)
    assert refused.value.code == "tn-auth-list"
