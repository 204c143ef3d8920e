"""Enrolment against the real authority, and against answers that prove something else."""

import base64
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.enrolment import EnrolmentClient
from client.errors import CredentialRefusedError, EnrolmentError, NotFoundError, RateLimitedError, ServiceError
from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.certificates import TrustAnchors
from identity.number import TelephoneNumber

BASE_URL = "http://authority.example"
NOW = 1_800_000_000
ALICE = TelephoneNumber.from_digits("12025550142")
BOB = TelephoneNumber.from_digits("12025550143")
Chain = list[bytes]
Change = Callable[[Chain], Chain]
Instead = Callable[[httpx.Request], httpx.Response | None]


@dataclass
class Clock:
    now: float = NOW

    def __call__(self) -> float:
        return self.now


class Tampering(httpx.AsyncBaseTransport):
    """The authority, with a hand on what it answers: on chains, on objects by their path, on headers.

    `instead` answers in its place, `lose` throws its answer away.
    """

    def __init__(self, authority: httpx.AsyncBaseTransport) -> None:
        self._authority = authority
        self.requests: list[httpx.Request] = []
        self.chain: Change = lambda chain: chain
        self.changes: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        self.headers: dict[str, str] = {}
        self.instead: Instead = lambda request: None
        self.lose: Callable[[httpx.Request], bool] = lambda request: False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.instead(request) or await self._authority.handle_async_request(request)
        if self.lose(request):
            raise httpx.ReadError("the answer is lost", request=request)
        body = await answer.aread()
        if "/acme/certificate/" in request.url.path:
            body = as_pem(self.chain(_ders(body)))
        elif answer.is_success:
            for path, change in self.changes.items():
                if path in request.url.path:
                    body = msgspec.json.encode(change(msgspec.json.decode(body)))
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return httpx.Response(answer.status_code, headers=headers | self.headers, stream=httpx.ByteStream(body))

    def sent(self, path: str) -> int:
        return sum(path in request.url.path for request in self.requests)


def _ders(pem: bytes) -> Chain:
    return [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(pem)]


def as_pem(chain: Chain) -> bytes:
    lines = (base64.encodebytes(der).decode("ascii") for der in chain)
    return "".join(f"-----BEGIN CERTIFICATE-----\n{each}-----END CERTIFICATE-----\n" for each in lines).encode("ascii")


@dataclass
class Authority:
    """A running authority and a client of it."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    outbox: CodeOutbox = field(default_factory=CodeOutbox)

    def __post_init__(self) -> None:
        self.app = open_authority(self.folder, BASE_URL, self.outbox, self.clock)
        self.transport = Tampering(httpx.ASGITransport(self.app))
        self.client = EnrolmentClient(BASE_URL, clock=self.clock, transport=self.transport)

    async def code(self, number: TelephoneNumber = ALICE) -> tuple[str, str]:
        opened = await self.client.challenge(number)
        code = self.outbox.codes[number]
        assert len(code) == opened.digits
        return opened.challenge, code


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Authority]:
    authority = Authority(tmp_path / "authority")
    async with authority.app.router.lifespan_context(authority.app), authority.client:
        yield authority


@pytest.fixture
async def anchors(authority: Authority) -> TrustAnchors:
    return await authority.client.anchors()


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


async def test_a_code_becomes_a_verified_chain(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    enrolled = await authority.client.certify(*await authority.code(), key, ALICE, anchors)
    assert enrolled.identity.number == ALICE
    assert enrolled.identity.chain.public_key == key.public_key()
    assert enrolled.x5u == f"{BASE_URL}/certificates/{hashlib.sha256(enrolled.chain[0]).hexdigest()}.pem"
    assert (await authority.client.status()).now == NOW


async def test_a_chain_is_renewed_for_the_same_number_and_key(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    first = await authority.client.certify(*await authority.code(), key, ALICE, anchors)
    authority.clock.now += 5 * 86_400
    second = await authority.client.renew(key, first.chain, anchors)
    assert second.identity.identity == first.identity.identity
    assert second.identity.chain.not_after > first.identity.chain.not_after
    assert second.x5u != first.x5u


async def test_without_the_old_key_nothing_is_renewed(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    enrolled = await authority.client.certify(*await authority.code(), key, ALICE, anchors)
    with pytest.raises(CredentialRefusedError) as caught:
        await authority.client.renew(ec.generate_private_key(ec.SECP256R1()), enrolled.chain, anchors)
    assert caught.value.code == "proof-refused"


async def test_a_wrong_code_is_told(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    challenge, code = await authority.code()
    wrong = str((int(code) + 1) % 10**6).zfill(6)
    with pytest.raises(ServiceError) as caught:
        await authority.client.certify(challenge, wrong, key, ALICE, anchors)
    assert caught.value.code == "wrong-code"


async def test_a_challenge_that_is_not_there_is_not_found(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    with pytest.raises(NotFoundError):
        await authority.client.certify("A" * 22, "123456", key, ALICE, anchors)


async def test_codes_cannot_be_asked_for_without_end(authority: Authority) -> None:
    answers = [await _challenged(authority) for _ in range(20)]
    assert answers[0] is None
    refused = answers[-1]
    assert refused is not None
    assert refused.retry_after > 0


async def _challenged(authority: Authority) -> RateLimitedError | None:
    try:
        await authority.client.challenge(ALICE)
    except RateLimitedError as error:
        return error
    return None


async def test_a_certificate_for_another_number_is_refused(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    others = await authority.client.certify(*await authority.code(BOB), key, BOB, anchors)
    authority.transport.chain = lambda _: list(others.chain)
    with pytest.raises(EnrolmentError, match="202-555-0143"):
        await authority.client.certify(*await authority.code(ALICE), key, ALICE, anchors)


async def test_a_certificate_for_another_key_is_refused(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    others = await authority.client.certify(
        *await authority.code(), ec.generate_private_key(ec.SECP256R1()), ALICE, anchors
    )
    authority.transport.chain = lambda _: list(others.chain)
    with pytest.raises(EnrolmentError):
        await authority.client.certify(*await authority.code(), key, ALICE, anchors)


async def test_a_chain_of_another_root_is_refused(
    authority: Authority, tmp_path: Path, key: ec.EllipticCurvePrivateKey
) -> None:
    other = Authority(tmp_path / "other")
    async with other.app.router.lifespan_context(other.app), other.client:
        foreign = await other.client.anchors()
    with pytest.raises(EnrolmentError):
        await authority.client.certify(*await authority.code(), key, ALICE, foreign)


@pytest.mark.parametrize(
    "change",
    [
        lambda chain: [],
        lambda chain: [b"\x30\x00"],
        lambda chain: chain[:1],
        lambda chain: chain[::-1],
    ],
    ids=["empty", "garbage", "no-issuer", "backwards"],
)
async def test_a_chain_that_does_not_prove_the_number_is_refused(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey, change: Change
) -> None:
    authority.transport.chain = change
    with pytest.raises(EnrolmentError):
        await authority.client.certify(*await authority.code(), key, ALICE, anchors)


@pytest.mark.parametrize(
    "change",
    [
        lambda x5u: "https://elsewhere.example/" + x5u.rpartition("/")[2],
        lambda x5u: x5u.replace("/certificates/", "/other/"),
        lambda x5u: x5u.replace(BASE_URL, "https://elsewhere.example"),
    ],
    ids=["published-elsewhere", "under-another-name", "by-somebody-else"],
)
async def test_a_certificate_that_is_not_published_below_its_authority_is_refused(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey, change: Callable[[str], str]
) -> None:
    def changed(order: dict[str, Any]) -> dict[str, Any]:
        return order | {"x5u": change(order["x5u"])} if "x5u" in order else order

    authority.transport.changes["/acme/order/"] = changed
    with pytest.raises(EnrolmentError) as caught:
        await authority.client.certify(*await authority.code(), key, ALICE, anchors)
    assert caught.value.code == "address"


async def test_a_clock_past_the_certificates_end_is_noticed(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey
) -> None:
    late = EnrolmentClient(BASE_URL, clock=lambda: NOW + 30 * 86_400, transport=authority.transport)
    with pytest.raises(EnrolmentError, match="until"):
        await late.certify(*await authority.code(), key, ALICE, anchors)


@pytest.mark.parametrize("body", [b"", b"no certificates", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"])
async def test_a_trust_list_that_cannot_be_used_is_refused(body: bytes) -> None:
    class Publishing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, stream=httpx.ByteStream(body))

    with pytest.raises(EnrolmentError):
        await EnrolmentClient(BASE_URL, transport=Publishing()).anchors()


@pytest.mark.parametrize("chain", [[], [b""], [b"\x30\x00"]])
async def test_an_old_chain_that_cannot_be_read_is_not_sent(
    authority: Authority, anchors: TrustAnchors, key: ec.EllipticCurvePrivateKey, chain: list[bytes]
) -> None:
    with pytest.raises(EnrolmentError):
        await authority.client.renew(key, chain, anchors)
