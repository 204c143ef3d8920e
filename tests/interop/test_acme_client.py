"""Our ACME client with ACME servers that are not ours."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.acme import AcmeServer, origin
from client.credentials.acme_account import AcmeAccount
from client.credentials.acme_answers import Authorization, Order
from client.credentials.acme_order import AcmeOrder, place_order
from client.errors import CertificationRefusedError, EnrolmentError
from client.services.answers import from_json
from client.services.service import Service
from identity.authority.acme.wire import Identifier, NewOrder
from identity.number import TelephoneNumber
from tests.interop.acme_servers import Running, pebble

ALICE = TelephoneNumber.from_digits("12025550142")
LIMIT = 1 << 20  # octets of an answer


class Ready(msgspec.Struct):
    """The answer to a challenge that has none of its own: an empty object (RFC 8555 §8.3)."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[AcmeServer]:
    """Pebble, which throws away one nonce in twenty."""
    with pebble(tmp_path, PEBBLE_WFE_NONCEREJECT="5", PEBBLE_VA_ALWAYS_VALID="1", PEBBLE_VA_NOSLEEP="1") as running:
        service = Service(origin(running.directory), LIMIT, running.transport)
        yield AcmeServer(service, _account(running), time.time)
        await service.aclose()


def _account(running: Running, *, accepts_terms: bool = True) -> AcmeAccount:
    key = ec.generate_private_key(ec.SECP256R1())
    return AcmeAccount(running.directory, key, accepts_terms=accepts_terms)


async def test_an_account_is_registered_once_for_its_key(server: AcmeServer) -> None:
    directory = await server.directory()
    await server.post(directory.new_order, NewOrder([Identifier("dns", "one.example")]))
    known = server.account.url
    server.account = server.account.named("")
    await server.post(directory.new_order, NewOrder([Identifier("dns", "two.example")]))
    assert server.account.url == known != ""


async def test_an_account_that_the_server_does_not_know_is_registered_again(server: AcmeServer) -> None:
    directory = await server.directory()
    elsewhere = f"{origin(server.account.directory)}/my-account/forgotten"
    server.account = server.account.named(elsewhere)
    await server.post(directory.new_order, NewOrder([Identifier("dns", "one.example")]))
    assert server.account.url not in ("", elsewhere)


async def test_a_certificate_is_ordered_polled_for_and_fetched_whatever_nonces_are_thrown_away(
    server: AcmeServer,
) -> None:
    directory, key = await server.directory(), ec.generate_private_key(ec.SECP256R1())
    answer = await server.post(directory.new_order, NewOrder([Identifier("dns", "phone.example")]))
    placed = from_json(answer.body, Order)
    order = AcmeOrder(server, answer.headers["location"], placed.authorizations[0], placed.finalize)
    authorization = from_json((await server.post(order.authorization)).body, Authorization)
    await server.post(next(each.url for each in authorization.challenges if each.type == "http-01"), Ready())
    await order.proved()
    delivered = await order.finalize(_dns_request(key, "phone.example"))
    leaf = x509.load_der_x509_certificate(delivered.chain[0])
    assert leaf.public_key() == key.public_key()
    assert len(delivered.chain) == 2


async def test_a_number_is_refused_by_a_server_for_host_names_with_words_that_help(server: AcmeServer) -> None:
    with pytest.raises(CertificationRefusedError) as caught:
        await place_order(server, ALICE)
    assert "--acme-directory" in caught.value.hint


async def test_a_server_that_throws_every_nonce_away_is_given_up(tmp_path: Path) -> None:
    with pebble(tmp_path, PEBBLE_WFE_NONCEREJECT="100") as running:
        service = Service(origin(running.directory), LIMIT, running.transport)
        with pytest.raises(CertificationRefusedError) as caught:
            await place_order(AcmeServer(service, _account(running), time.time), ALICE)
        await service.aclose()
    assert caught.value.code == "bad-nonce"


async def test_terms_of_service_are_for_a_person_to_accept(tmp_path: Path) -> None:
    with pebble(tmp_path) as running:
        service = Service(origin(running.directory), LIMIT, running.transport)
        with pytest.raises(EnrolmentError, match="terms of service"):
            await place_order(AcmeServer(service, _account(running, accepts_terms=False), time.time), ALICE)
        await service.aclose()


def _dns_request(key: ec.EllipticCurvePrivateKey, name: str) -> bytes:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = request.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
