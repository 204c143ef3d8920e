"""Devices with real keys, certificates and MLS engines, and requests in their names as octets."""

import asyncio
import time
from dataclasses import dataclass, field

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from mls_rs import Credential, Engine

from client.services.signing import RequestSigner
from delivery_service.credentials import Credentials
from delivery_service.wire import IDEMPOTENCY_HEADER, JSON_TYPE, SessionGranted, SessionRequest
from identity.certificates import TrustAnchors
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from lab.histories.line import Line

HOST = "delivery.example"
SUITE = 2  # MLS_128_DHKEMP256_AES128GCM_SHA256_P256
FIRST_NUMBER = 1_202_555_0000
LIFETIME = 7 * 86_400  # seconds
PACKAGE_LIFETIME = 86_400


class RefusedSessionError(Exception):
    """The service did not open a session; the message is its answer."""


@dataclass
class Device:
    """A device, its secrets, and the token of its last session."""

    number: str
    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]
    engine: Engine
    token: str = ""
    secrets: list[bytes] = field(default_factory=list)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    def request(
        self, method: str, path: str, body: bytes = b"", kind: str = JSON_TYPE, *, key: str = "", signed: bool = False
    ) -> bytes:
        """The octets of a request within the session; `key` is an idempotency key."""
        headers = {"content-type": kind}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        if key:
            headers[IDEMPOTENCY_HEADER] = key
        if signed:
            whole = httpx.Request(method, f"http://{HOST}{path}", content=body, headers=headers)
            RequestSigner(self.key, self.chain[0]).sign(whole, time.time())
            headers = {name: value for name, value in whole.headers.items() if name not in ("host", "content-length")}
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"{method} {path} HTTP/1.1\r\nhost: {HOST}\r\n{fields}content-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    async def renew(self, line: Line, before: str) -> None:
        """Open a session in place of the one whose token was `before`, once for all who ask.

        Raises LostAnswerError, RefusedSessionError.
        """
        async with self._opening:
            if self.token != before:
                return
            self.token = ""
            body = msgspec.json.encode(SessionRequest(list(self.chain)))
            answer = await line.ask(self.request("POST", "/v1/sessions", body, signed=True))
            if answer.status != 201:
                raise RefusedSessionError(answer.body.decode(errors="replace"))
            self.token = msgspec.json.decode(answer.body, type=SessionGranted).token

    def key_packages(self, count: int, *, last_resort: bool = False) -> list[bytes]:
        """Fresh key packages, whose secrets the device keeps."""
        now = int(time.time())
        made = [self.engine.key_package(now, lifetime=PACKAGE_LIFETIME, last_resort=last_resort) for _ in range(count)]
        self.secrets += [package.secret for package in made]
        return [package.message for package in made]


class Certifier:
    """A root and an issuer of this machine's present, and devices of as many numbers as asked for."""

    def __init__(self) -> None:
        self._now = int(time.time())
        numbers = TNAuthList((TelephoneNumberRange(str(FIRST_NUMBER), 10_000),))
        root_key, root = create_root("History root", self._now, 10 * LIFETIME)
        self._key, self._issuer = create_issuer(root_key, root, "History issuer", numbers, self._now, 9 * LIFETIME)
        self.anchors = root.public_bytes(Encoding.PEM)
        self._credentials = Credentials(TrustAnchors((root,)))

    def device(self, person: int) -> Device:
        """One more device of the person's number."""
        key = ec.generate_private_key(ec.SECP256R1())
        number = TelephoneNumber.from_digits(str(FIRST_NUMBER + person))
        leaf = issue_device_certificate(self._key, self._issuer, key.public_key(), number, self._now, LIFETIME)
        chain = leaf.public_bytes(Encoding.DER), self._issuer.public_bytes(Encoding.DER)
        scalar = bytearray(key.private_numbers().private_value.to_bytes(32, "big"))
        believes = self._credentials
        engine = Engine(SUITE, Credential.x509(chain), scalar, believes.validate, believes.succeed)
        return Device(number.e164, key, chain, engine)
