"""Mallory: a member like any other, with her own number, key, MLS engine and wire, and no rules.

Her certificate is real, from the authority that everybody trusts. What an honest client refuses to make, she makes.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mls_rs
from cryptography.hazmat.primitives.asymmetric import ec

from client.formats import content
from client.formats.framing import unwrap
from client.records.outbox import new_idempotency_key
from client.services.delivery import DeliveryClient
from delivery_service.wire import CommitBundle, KeyPackageUpload
from identity.binding import group_uri, user_uri, x5u_for
from identity.groups.group_trust import ANCHORS_EXTENSION
from identity.groups.roles import ROLES_EXTENSION
from identity.number import TelephoneNumber
from identity.passport import message_digest
from identity.status.ocsp import STAPLE_EXTENSION
from lab.forgery import msg_header, sign_octets, sign_values

SUITE = 2  # MLS_128_DHKEMP256_AES128GCM_SHA256_P256
LIFETIME = 6 * 86_400  # seconds of her key packages: within her certificate's week
FOREVER = 2**40  # seconds


@dataclass(frozen=True, slots=True)
class Credentials:
    """A device: its key, its chain (DER, leaf first) and where the chain is published."""

    number: TelephoneNumber
    key: ec.EllipticCurvePrivateKey
    chain: tuple[bytes, ...]
    x5u_base: str

    @property
    def credential(self) -> mls_rs.Credential:
        """The MLS credential."""
        return mls_rs.Credential.x509(self.chain)

    def scalar(self) -> bytearray:
        """The private key as the engine takes it."""
        return bytearray(self.key.private_numbers().private_value.to_bytes(32, "big"))


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that she decrypted: its proof and the exact octets that it covers."""

    seq: int
    proof: bytes
    framed: bytes


def believe_anything(credential: mls_rs.Credential, signature_key: bytes, now: int) -> mls_rs.Approval:
    """Her engine's validator: everyone is who they say, for all time."""
    return mls_rs.Approval(signature_key, 0, FOREVER)


def raw_engine(device: Credentials, staple: bytes | None = None) -> mls_rs.Engine:
    """An MLS engine without scruples; `staple` is carried by its leaves as the status of its certificate."""
    return mls_rs.Engine(
        SUITE,
        device.credential,
        device.scalar(),
        believe_anything,
        lambda old, old_key, new, new_key: None,
        # or she could not be added to a group with roles
        extension_types=[ROLES_EXTENSION, ANCHORS_EXTENSION, STAPLE_EXTENSION],
        leaf_extensions=[] if staple is None else [(STAPLE_EXTENSION, staple)],
    )


def bundle_of(pending: mls_rs.Pending) -> CommitBundle:
    """What the delivery service wants of a commit."""
    return CommitBundle(pending.commit, list(pending.welcomes), pending.group_info)


class Mallory:
    """One device of hers at one delivery service."""

    def __init__(
        self,
        device: Credentials,
        delivery: DeliveryClient,
        host: str,
        clock: Callable[[], float],
        staple: bytes | None = None,
    ) -> None:
        self.device = device
        self.number = device.number
        self.delivery = delivery
        self.engine = raw_engine(device, staple)
        self.x5u = x5u_for(device.x5u_base, device.chain[0])
        self._host = host
        self._clock = clock
        self._secrets: list[bytes] = []
        self._cursors: dict[bytes, int] = {}
        self._own: set[str] = set()
        self.groups: dict[bytes, mls_rs.Group] = {}

    def now(self) -> int:
        """Her clock, in whole seconds."""
        return int(self._clock())

    async def publish_key_packages(self, count: int) -> None:
        """Let others add her."""
        packages = [self.engine.key_package(self.now(), lifetime=LIFETIME) for _ in range(count)]
        self._secrets += [package.secret for package in packages]
        await self.delivery.upload_key_packages(KeyPackageUpload([package.message for package in packages]))

    async def join(self) -> None:
        """Accept every invitation."""
        batch = await self.delivery.inbox(after=0)
        for item in batch.items:
            group = self.engine.join(item.welcome, self._secrets, self.now())
            self.groups[item.group_id], self._cursors[item.group_id] = group, item.seq
        await self.delivery.ack_inbox(batch.head)

    async def begin(self, key_packages: Sequence[bytes]) -> bytes:
        """Make a group and add these devices to it; returns its id."""
        group_id = secrets.token_bytes(16)
        group = self.engine.create(group_id, self.now())
        await self.delivery.create_group(group_id, group.group_info(), new_idempotency_key())
        pending = group.commit(self.now(), add=key_packages)
        self._cursors[group_id] = (await self.delivery.commit(group_id, bundle_of(pending), new_idempotency_key())).seq
        group.apply(pending.secrets)
        self.groups[group_id] = group
        return group_id

    async def listen(self, group_id: bytes) -> list[Heard]:
        """Read what is new in a group and decrypt it; her own entries are passed over."""
        batch = await self.delivery.entries(group_id, self._cursors[group_id])
        heard = []
        for entry in batch.entries:
            self._cursors[group_id] = entry.seq
            if entry.idempotency_key in self._own:
                continue
            read = self.groups[group_id].process(entry.body, self.now())
            if isinstance(read, mls_rs.Application):
                carried = unwrap(read.data)
                heard.append(Heard(entry.seq, carried.passport or b"", carried.framed))
        return heard

    def encrypt(self, group_id: bytes, data: bytes, authenticated_data: bytes = b"") -> bytes:
        """Encrypt anything for a group, beside anything in the clear, such as a franking tag."""
        return self.groups[group_id].encrypt(data, authenticated_data)

    async def post(self, group_id: bytes, message: bytes) -> int:
        """Append any octets to a group's log; returns their place."""
        key = new_idempotency_key()
        self._own.add(key)
        return (await self.delivery.append(group_id, message, key)).seq

    def framed(self, group_id: bytes, text: str, sender: TelephoneNumber | None = None) -> bytes:
        """Content for a group, in anybody's name."""
        sender_uri = user_uri(self._host, sender or self.number)
        return content.encode(content.text(sender_uri, self.group_uri(group_id), text))

    def group_uri(self, group_id: bytes) -> str:
        """The URI of a group."""
        return group_uri(self._host, group_id)

    def claims(self, group_id: bytes, framed: bytes) -> dict[str, object]:
        """The claims that an honest client would sign over these octets."""
        return {
            "dest": {"uri": [self.group_uri(group_id)]},
            "iat": self.now(),
            "msgi": message_digest(framed),
            "orig": {"tn": self.number.digits},
        }

    def prove(self, group_id: bytes, framed: bytes) -> bytes:
        """The honest proof over these octets."""
        return self.sign(self.claims(group_id, framed))

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object] | None = None) -> bytes:
        """Sign any claims with her own key."""
        return sign_values(self.device.key, header or msg_header(self.x5u), claims)

    def sign_octets(self, header: bytes, claims: bytes) -> bytes:
        """Sign any octets as header and claims with her own key."""
        return sign_octets(self.device.key, header, claims)
