"""The attacks on the binding that need no network, each made with real keys and stopped by a named check."""

import hmac
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.base64url import decode_base64url, encode_base64url
from identity.binding import Verdict, attest_message, group_uri, user_uri
from identity.certificates import public_point
from identity.errors import ClaimConstraintsError
from identity.issuing import MESSAGING_ONLY
from identity.number import TelephoneNumber
from identity.passport import canonical_json
from identity.tn_auth_list import ServiceProviderCode, TelephoneNumberRange, TNAuthList
from tests.identity.conftest import (
    ALICE,
    BASE_URL,
    BOB,
    HOST,
    LEAF_FIELDS,
    NOW,
    Scene,
    any_certificate,
    der,
    key_usage,
    one,
    private_key,
    sign_parts,
    tn_extension,
)  # fmt: skip

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
MALLORY = TelephoneNumber.from_digits("12025550166")


def stopped_by(scene: Scene) -> str:
    verification = scene.verify()
    assert verification.verdict is Verdict.FAILED
    assert verification.failed_check is not None
    return verification.failed_check.name


def mallory_sends(scene: Scene) -> None:
    """Make Mallory, a member too, the sender of what Alice signed."""
    key = private_key(666)
    chain = scene.authority.device_chain(key, MALLORY)
    scene.key = key
    scene.change_context(sender_chain=chain, sender_key=public_point(key.public_key()), sender_leaf=2)


def token(scene: Scene) -> bytes:
    assert scene.message.passport is not None
    return scene.message.passport


def test_cut_and_paste_into_another_group_by_a_member(scene: Scene) -> None:
    other = group_uri(HOST, b"another group")
    scene.change_context(group_id=b"another group", group_uri=other)
    scene.change_message(room_uri=other)
    mallory_sends(scene)
    assert stopped_by(scene) == "signer"


def test_cut_and_paste_into_another_group_by_the_same_device(scene: Scene) -> None:
    other = group_uri(HOST, b"another group")
    scene.change_context(group_id=b"another group", group_uri=other)
    scene.change_message(room_uri=other)
    assert stopped_by(scene) == "audience"


def test_the_other_device_of_the_same_number_reuses_the_token(scene: Scene) -> None:
    other_device = private_key(5)
    chain = scene.authority.device_chain(other_device, ALICE)
    scene.change_context(sender_chain=chain, sender_key=public_point(other_device.public_key()))
    assert stopped_by(scene) == "signer"


def test_replay_in_the_same_group(scene: Scene) -> None:
    evidence = scene.verify().evidence
    assert evidence is not None
    scene.seen.add(evidence.replay_key)
    assert stopped_by(scene) == "replay"


def test_replay_with_a_malleated_signature(scene: Scene) -> None:
    """Of (r, s) anyone can make (r, n - s), which verifies too: another token, the same signing input."""
    evidence = scene.verify().evidence
    assert evidence is not None
    scene.seen.add(evidence.replay_key)
    signing_input, _, signature = token(scene).rpartition(b".")
    raw = decode_base64url(signature)
    flipped = raw[:32] + (P256_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    scene.change_message(passport=signing_input + b"." + encode_base64url(flipped))
    assert token(scene).rpartition(b".")[2] != signature
    assert stopped_by(scene) == "replay"
    scene.seen.clear()
    assert scene.verify().verdict is Verdict.VERIFIED


def test_re_attribution_of_another_members_message(scene: Scene) -> None:
    mallory_sends(scene)
    assert stopped_by(scene) == "signer"


def test_re_attribution_with_the_content_renamed(scene: Scene) -> None:
    mallory_sends(scene)
    scene.change_message(sender_uri=user_uri(HOST, MALLORY))
    assert stopped_by(scene) == "signer"


def test_body_swap(scene: Scene) -> None:
    scene.change_message(framed=scene.message.framed.replace(b"Watson", b"Moriar"))
    assert stopped_by(scene) == "content"


def test_type_confusion_of_the_same_octets(scene: Scene) -> None:
    scene.change_message(framed=scene.message.framed.replace(b"application/mimi-content", b"application/other-format"))
    assert stopped_by(scene) == "content"


def test_backdating_by_a_new_member(scene: Scene) -> None:
    scene.change_context(sender_since=NOW)
    scene.attest_message(now=NOW - 61)
    assert stopped_by(scene) == "time"


def test_backdating_with_an_expired_certificate(scene: Scene) -> None:
    """Signed after the certificate's end: iat tells the truth, or is before the credential could be here."""
    after_the_end = scene.chains.verify(scene.context.sender_chain, NOW).not_after + 100
    scene.change_context(arrived=after_the_end + 1, sender_since=after_the_end)
    scene.attest_message(now=after_the_end)
    assert stopped_by(scene) == "chain"
    scene.attest_message(now=after_the_end - 200)
    assert stopped_by(scene) == "time"


def test_wrong_number_in_orig(scene: Scene) -> None:
    scene.attest_message(number=TelephoneNumber.from_digits("12025550100"), peer=None)
    assert stopped_by(scene) == "number"


def test_number_outside_the_range_of_a_carriers_leaf(scene: Scene) -> None:
    numbers = TNAuthList((TelephoneNumberRange("12025550150", 10),))
    scene.use_chain(scene.authority.chain((*LEAF_FIELDS, tn_extension(numbers))))
    assert stopped_by(scene) == "number"


def test_over_wide_delegate_certificate(scene: Scene) -> None:
    """The leaf claims a number that its issuer's own list does not reach."""
    foreign = TelephoneNumber.from_digits("447700900123")
    scene.use_chain(scene.authority.chain((*LEAF_FIELDS, tn_extension(one(foreign)))))
    scene.attest_message(number=foreign, peer=None)
    scene.change_message(sender_uri=user_uri(HOST, foreign))
    assert stopped_by(scene) == "chain"


def test_a_carriers_code_vouches_for_any_number_but_is_labelled(scene: Scene) -> None:
    code = TNAuthList((ServiceProviderCode("1234"),))
    issuer = scene.authority.issuer(code)
    leaf_key = scene.key.public_key()
    leaf = any_certificate(scene.authority.issuer_key, issuer.subject, leaf_key, (*LEAF_FIELDS, tn_extension(code)))
    scene.use_chain((der(leaf), der(issuer)))
    verification = scene.verify()
    assert (verification.verdict, verification.number) == (Verdict.CARRIER, None)


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "ES384", "es256"])
def test_algorithm_confusion(scene: Scene, algorithm: str) -> None:
    """`none` without signature, and HS256 with the public key as its secret."""
    header, claims = scene.token_parts()
    parts = (canonical_json(header | {"alg": algorithm}), canonical_json(claims))
    signing_input = b".".join(encode_base64url(part) for part in parts)
    secret = scene.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    mac = hmac.new(secret, signing_input, sha256).digest() * 2
    scene.change_message(passport=signing_input + b"." + encode_base64url(mac))
    assert stopped_by(scene) == "header"


def test_a_token_without_signature(scene: Scene) -> None:
    scene.change_message(passport=token(scene).rpartition(b".")[0] + b".")
    assert stopped_by(scene) == "bounds"


@pytest.mark.parametrize("name", ["jwk", "jku", "x5c", "kid", "x5t#S256", "crit", "b64"])
def test_header_key_injection(scene: Scene, name: str) -> None:
    scene.sign_header(**{name: "anything"})
    assert stopped_by(scene) == "header"


def test_x5u_of_an_attackers_server_is_neither_fetched_nor_believed(scene: Scene) -> None:
    key = private_key(666)
    header, claims = scene.token_parts()
    header["x5u"] = "https://attacker.example/certificates/leaf.pem"
    scene.change_message(passport=sign_parts(key, canonical_json(header), canonical_json(claims)))
    assert stopped_by(scene) == "signer"


@pytest.mark.parametrize("x5u", ["file:///etc/passwd", "https://a.example/x?y=/certificates/z.pem", "https://u@h/a", 7])
def test_x5u_that_is_no_plain_url(scene: Scene, x5u: object) -> None:
    scene.sign_header(x5u=x5u)
    assert stopped_by(scene) == "header"


def test_duplicate_json_keys(scene: Scene) -> None:
    header, claims = (canonical_json(part) for part in scene.token_parts())
    doubled = claims.replace(b'"iat":', b'"iat":1,"iat":')
    scene.change_message(passport=sign_parts(scene.key, header, doubled))
    assert stopped_by(scene) == "bounds"


def test_full_width_digits_in_orig(scene: Scene) -> None:
    scene.sign_claims(orig={"tn": "１２０２５５５０１４２"})
    assert stopped_by(scene) == "claims"


def test_ca_certificate_used_as_signer(scene: Scene) -> None:
    fields = ((x509.BasicConstraints(ca=True, path_length=None), True), (key_usage(digital_signature=True), True))
    scene.use_chain(scene.authority.chain((*fields, tn_extension(one(ALICE)))))
    assert stopped_by(scene) == "chain"


def test_the_issuer_itself_used_as_signer(scene: Scene) -> None:
    scene.use_chain((der(scene.authority.issuer()),), scene.authority.issuer_key)
    assert stopped_by(scene) == "chain"


def test_shaken_call_token_offered_as_a_message(scene: Scene) -> None:
    _, claims = scene.token_parts()
    claims |= {"attest": "A", "origid": "123e4567-e89b-12d3-a456-426655440000"}
    header = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": "https://cert.example.org/passport.cer"}
    scene.change_message(passport=sign_parts(scene.key, canonical_json(header), canonical_json(claims)))
    assert stopped_by(scene) == "header"


def test_stripping_the_passport_is_shown_and_never_verified(scene: Scene) -> None:
    scene.change_message(passport=None)
    verification = scene.verify()
    assert (verification.verdict, verification.code, verification.number) == (Verdict.UNSIGNED, 428, ALICE)
    assert [check.outcome for check in verification.checks] == ["passed"] + ["skipped"] * 14


def test_huge_dest(scene: Scene) -> None:
    scene.sign_claims(dest={"tn": [str(12_025_550_000 + n) for n in range(1_000)], "uri": [scene.context.group_uri]})
    assert stopped_by(scene) == "bounds"


def test_json_nested_without_end(scene: Scene) -> None:
    header = canonical_json(scene.token_parts()[0])
    scene.change_message(passport=sign_parts(scene.key, header, b"[" * 5_000))
    assert stopped_by(scene) == "bounds"


def test_a_signature_made_for_mls_does_not_serve_as_a_token(scene: Scene) -> None:
    """Every signing input starts with "eyJ"; SignWithLabel starts with its length and "MLS 1.0 ", DER with 0x30."""
    header, claims = (canonical_json(part) for part in scene.token_parts())
    assert sign_parts(scene.key, header, claims).startswith(b"eyJ")
    mls_content = b"\x14MLS 1.0 FramedContentTBS" + bytes(60)
    r_and_s = decode_dss_signature(scene.key.sign(mls_content, ec.ECDSA(hashes.SHA256())))
    signature = b"".join(number.to_bytes(32, "big") for number in r_and_s)
    scene.change_message(passport=token(scene).rpartition(b".")[0] + b"." + encode_base64url(signature))
    assert stopped_by(scene) == "signature"


def test_a_messaging_only_certificate_cannot_sign_a_call(scene: Scene) -> None:
    """The constraints refuse, for any verifier that enforces RFC 9118, what the device profile is not for."""
    _, claims = scene.token_parts()
    del claims["msgi"]
    with pytest.raises(ClaimConstraintsError, match="msgi"):
        MESSAGING_ONLY.check(claims)
    with pytest.raises(ClaimConstraintsError, match="attest"):
        MESSAGING_ONLY.check(claims | {"msgi": "x", "attest": "A"})


def test_a_forged_token_does_not_spoil_the_honest_one(scene: Scene) -> None:
    """A token that fails leaves nothing to remember as seen."""
    honest = scene.message
    mallory_sends(scene)
    assert scene.verify().evidence is None
    attested = attest_message(
        private_key(1), scene.authority.device_chain(private_key(1), ALICE)[0], base_url=BASE_URL, number=ALICE,
        group_uri=scene.context.group_uri, peer=BOB, framed=honest.framed, now=NOW,
    )  # fmt: skip
    assert attested == honest.passport
