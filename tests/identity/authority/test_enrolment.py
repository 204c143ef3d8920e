"""A device proves its number and gets a chain that the world verifies."""

import hashlib

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.wire import IssuedChain, Status
from identity.binding import DeviceVerifier, x5u_for
from identity.certificates import public_point


async def test_an_enrolled_device_is_the_device_of_its_number(authority, device):
    issued = await authority.enrol(device)

    verifier = DeviceVerifier(await authority.anchors())
    identity = verifier.verify(issued.chain, public_point(device.key.public_key()), authority.clock.now)

    assert identity.number == device.number
    assert identity.chain.not_after == issued.not_after == authority.clock.now + 7 * 86_400


async def test_two_devices_of_one_number_get_two_certificates(authority, make_device):
    first, second = await authority.enrol(make_device()), await authority.enrol(make_device())

    assert first.chain[0] != second.chain[0]
    assert first.chain[1] == second.chain[1]


async def test_the_whole_path_is_published_where_x5u_says(authority, device):
    issued = await authority.enrol(device)
    assert issued.x5u == x5u_for("http://authority.example", issued.chain[0])

    response = await authority.http.get(issued.x5u)

    assert response.headers["content-type"] == "application/pem-certificate-chain"
    published = [certificate.public_bytes(Encoding.DER) for certificate in pem(response.content)]
    assert published[:2] == issued.chain
    assert published[2:] == [root.public_bytes(Encoding.DER) for root in (await authority.anchors()).roots]
    assert hashlib.sha256(published[0]).hexdigest() in issued.x5u


async def test_no_certificate_is_published_under_another_name(authority, device, word):
    issued = await authority.enrol(device)
    name = issued.x5u.rpartition("/")[2]

    for path in (f"/certificates/{name.upper()}", "/certificates/00.pem", "/certificates/" + "0" * 64 + ".pem"):
        assert word(await authority.http.get(path)) == "not-found"


async def test_status_names_the_numbers_that_are_certified(open_at):
    authority = await open_at(allow=("+1202555", "447700900"))

    status = msgspec.json.decode((await authority.http.get("/v1/status")).content, type=Status)

    assert status.numbers == ["+1202555", "+447700900"]
    assert status.now == authority.clock.now
    assert status.name


async def test_a_crashed_client_gets_its_certificate_again(authority, device):
    challenge, code = await authority.challenge()
    first = msgspec.json.decode((await authority.certify(challenge, code, device.csr())).content, type=IssuedChain)
    authority.clock.now += 500

    again = await authority.certify(challenge, code, device.csr())

    assert again.status_code == 201
    assert msgspec.json.decode(again.content, type=IssuedChain) == first


def pem(content: bytes) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(content)
