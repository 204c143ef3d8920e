"""The calls about whom this account believes."""

from collections.abc import Callable

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from client.credentials.anchor_files import write_trust
from client.credentials.trusting import Trusting
from client.desk.api import Trust
from client.desk.trust_showing import examined_views, footing_view, group_anchors_view, trust_view
from client.desk.trust_views import AnchorView, CodeParentsWord, FootingView, GroupAnchorsView, TrustView
from client.desk.works import Works, group_of
from client.errors import TrustError
from client.formats.text import safe_name
from client.storage.home import Home
from identity.trust import CodeParents


class DeskTrust(Trust):
    """client.desk.api.Trust over a session."""

    def __init__(self, works: Works, home: Home) -> None:
        self._works = works
        self._home = home

    async def show(self) -> TrustView:
        return await self._works.run(trust_view, self._works.steps, self._works.now())

    async def examine(self, pem: str) -> list[AnchorView]:
        return await self._works.run(examined_views, self._trusting, pem.encode(), self._works.now())

    async def add(self, pem: str, fingerprints: list[str]) -> TrustView:
        return await self._changed(lambda now: self._trusting.add(pem.encode(), set(fingerprints), now))

    async def footing(self, fingerprint: str) -> FootingView:
        return await self._works.run(footing_view, self._works.steps, fingerprint, self._works.now())

    async def remove(self, fingerprint: str, last: bool = False) -> TrustView:
        return await self._changed(lambda now: self._trusting.remove(fingerprint, now, last=last))

    async def pin(self, pem: str = "") -> TrustView:
        return await self._changed(lambda now: self._trusting.pin(pem.encode(), now))

    async def unpin(self, issuer: str) -> TrustView:
        return await self._changed(lambda now: self._trusting.unpin(issuer, now))

    async def policy(
        self,
        non_ecdsa_issuers: bool | None = None,
        code_parents: CodeParentsWord | None = None,
        code_leaves: bool | None = None,
        unknown_policies: bool | None = None,
        scts: int | None = None,
        uri_identities: bool | None = None,
    ) -> TrustView:
        wanted = {
            "non_ecdsa_issuers": non_ecdsa_issuers,
            "code_parents": None if code_parents is None else CodeParents(code_parents),
            "code_leaves": code_leaves,
            "unknown_policies": unknown_policies,
            "scts": scts,
            "uri_identities": uri_identities,
        }
        stated = {name: value for name, value in wanted.items() if value is not None}

        def change(now: int) -> list[bytes]:
            return self._trusting.switch(msgspec.structs.replace(self._trusting.kept.switches(), **stated), now)

        return await self._changed(change)

    async def code(self, code: str, prefixes: list[str]) -> TrustView:
        return await self._changed(lambda now: self._trusting.set_code(code, prefixes, now))

    async def log(self, name: str, pem: str = "") -> TrustView:
        spki = _public_key(pem) if pem else None
        return await self._changed(lambda now: self._trusting.set_log(safe_name(name).text, spki, now))

    async def group(self, group: str) -> GroupAnchorsView:
        return await self._works.run(group_anchors_view, self._works.steps, group_of(group))

    @property
    def _trusting(self) -> Trusting:
        return self._works.steps.trusting

    async def _changed(self, change: Callable[[int], list[bytes]]) -> TrustView:
        """Make a change, keep the copy beside the store, and have the chats told that say something of it."""
        for group_id in await self._works.run(self._made, change):
            self._works.tell(group_id)
        self._works.tell()
        return await self.show()

    def _made(self, change: Callable[[int], list[bytes]]) -> list[bytes]:
        changed = change(self._works.now())
        write_trust(self._home, self._works.steps.groups.trust)
        return changed


def _public_key(pem: str) -> bytes:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        hint = "Give the PEM file of the log's public key."
        raise TrustError("it is no public key in PEM", code="malformed", hint=hint) from error
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
