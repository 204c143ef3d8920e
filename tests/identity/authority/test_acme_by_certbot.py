"""The ACME client of certbot, which shares nothing with ours, gets a certificate over real HTTP, and revokes it.

It knows neither the identifier nor the challenge of RFC 9448: both are taught to it here, as its extension points
foresee, and the order is placed by its own signed requests.
"""

import asyncio
import datetime
import time

import acme.challenges
import acme.client
import acme.messages
import httpx
import josepy
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.authority.tokens.wire import CodeRight, TokenRequest
from identity.certificates import TrustAnchors, verify_chain
from identity.enrolment.authority_token import AuthorityTokenChallenge, account_fingerprint
from identity.number import TelephoneNumber
from lab.serving import listening
from tests.identity.authority.ordering import one, private_key, thumbprint

ALICE = TelephoneNumber.from_digits("12025550142")
TN_AUTH_LIST = acme.messages.IdentifierType("TNAuthList")


@acme.challenges.Challenge.register
class TKAuth01(acme.challenges.Challenge):
    """RFC 9447 §3."""

    typ = "tkauth-01"
    tkauth_type: str = josepy.field("tkauth-type")
    token_authority: str = josepy.field("token-authority", omitempty=True)


@acme.challenges.ChallengeResponse.register
class TKAuth01Response(acme.challenges.ChallengeResponse):
    """What answers it."""

    typ = "tkauth-01"
    tkauth: str = josepy.field("tkauth")


def connect(base_url: str, key: ec.EllipticCurvePrivateKey) -> acme.client.ClientV2:
    network = acme.client.ClientNetwork(josepy.JWKEC(key=key), alg=josepy.ES256)
    directory = acme.client.ClientV2.get_directory(f"{base_url}/acme/directory", network)
    return acme.client.ClientV2(directory, network)


def place(client: acme.client.ClientV2, csr: bytes) -> acme.messages.OrderResource:
    """As `ClientV2.new_order`, which takes identifiers from a request's names."""
    identifier = acme.messages.Identifier(typ=TN_AUTH_LIST, value=one(ALICE))
    response = client._post(client.directory["newOrder"], acme.messages.NewOrder(identifiers=[identifier]))
    body = acme.messages.Order.from_json(response.json())
    authorizations = [client._authzr_from_response(client._post_as_get(url), uri=url) for url in body.authorizations]
    return acme.messages.OrderResource(
        body=body, uri=response.headers["Location"], authorizations=authorizations, csr_pem=csr
    )


def token(base_url: str, codes: CodeOutbox, account: bytes, key: ec.EllipticCurvePrivateKey) -> str:
    with httpx.Client(base_url=base_url) as http:
        challenge = http.post("/v1/challenges", json={"number": ALICE.e164}).json()["challenge"]
        atc = AuthorityTokenChallenge("TNAuthList", one(ALICE), account_fingerprint(account))
        request = TokenRequest(atc, CodeRight(codes.codes[ALICE]), thumbprint(key))
        headers = {"content-type": "application/json"}
        body = msgspec.json.encode(request)
        return http.post(f"/at/account/{challenge}/token", content=body, headers=headers).json()["token"]


def enrol_and_revoke(base_url: str, codes: CodeOutbox) -> None:
    account, key = private_key(), private_key()
    client = connect(base_url, account)
    client.new_account(acme.messages.NewRegistration.from_data(email="a@example.com", terms_of_service_agreed=True))
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    csr = builder.sign(key, hashes.SHA256())
    order = place(client, csr.public_bytes(Encoding.PEM))
    (challenge,) = order.authorizations[0].body.challenges
    assert (challenge.chall.tkauth_type, challenge.chall.token_authority) == ("atc", base_url)

    fingerprint = josepy.JWKEC(key=account.public_key()).thumbprint()
    client.answer_challenge(challenge, TKAuth01Response(tkauth=token(base_url, codes, fingerprint, key)))
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=20)
    done = client.poll_and_finalize(order, deadline)

    chain = x509.load_pem_x509_certificates(done.fullchain_pem.encode())
    anchors = TrustAnchors.from_pem(httpx.get(f"{base_url}/v1/anchors.pem").content)
    verified = verify_chain([each.public_bytes(Encoding.DER) for each in chain], anchors, int(time.time()))
    assert verified.number == ALICE
    client.revoke(chain[0], 0)
    with pytest.raises(acme.messages.Error) as caught:
        client.revoke(chain[0], 0)
    assert caught.value.code == "alreadyRevoked"


async def test_certbots_client_gets_a_certificate_and_revokes_it(tmp_path):
    codes = CodeOutbox()
    async with listening(lambda url: open_authority(tmp_path / "authority", url, codes)) as base_url:
        await asyncio.to_thread(enrol_and_revoke, base_url, codes)
