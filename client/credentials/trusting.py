"""Changes of trust in a session that runs: kept, then used by everything that verifies, then said where it matters."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import mls_rs
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.anchor_files import examine, read_roots
from client.credentials.group_anchors import GroupAnchors
from client.credentials.trust import KnownAnchor, Switches, TrustStore
from client.defence.statuses import Statuses
from client.errors import TrustError
from client.records.chats import Chat
from client.steps.device import number_of
from client.steps.groups import Groups
from client.storage.store import Store
from identity.binding import DeviceVerifier
from identity.errors import IdentityError
from identity.issuer_path import verify_issuer_path
from identity.number import TelephoneNumber
from identity.prefixes import authority_list
from identity.tn_auth_list import ServiceProviderCode
from identity.trust import TrustAnchors


@dataclass(frozen=True, slots=True)
class Footing:
    """What stands on a root alone: chats with members whose certificates nothing else vouches for, and their numbers.

    `own`: this device's certificate is one of them.
    """

    own: bool
    chats: tuple[Chat, ...]
    numbers: tuple[TelephoneNumber, ...]


class Trusting:
    """The steps of `ringtrue trust`."""

    def __init__(self, store: Store, groups: Groups, statuses: Statuses, anchors: GroupAnchors) -> None:
        self._store = store
        self._groups = groups
        self._statuses = statuses
        self._anchors = anchors
        self.kept = TrustStore(store)

    def trouble(self, now: int) -> str:
        """Why this device's own certificate does not count under its own trust, "" if it does."""
        return self._refusal(self._groups.verifier, self._groups.account.chain, now)

    def add(self, pem: bytes, agreed: set[str], now: int) -> list[bytes]:
        """Import from a PEM text the roots that a person has agreed to, by fingerprint. Raises TrustError."""
        roots = [KnownAnchor(root, True, now) for root in examine(pem, now)]
        chosen = [known.certificate for known in roots if known.fingerprint.hex() in agreed]
        if not agreed or len(chosen) != len(agreed):
            raise TrustError("agree to roots of the file by their whole fingerprints", code="trust-not-agreed")
        return self._change(lambda: self.kept.add(chosen, now), now)

    def remove(self, fingerprint: str, now: int, *, last: bool = False) -> list[bytes]:
        """Believe a root no more. Raises TrustError."""
        return self._change(lambda: self.kept.remove(self.kept.anchor(fingerprint), last=last), now)

    def pin(self, pem: bytes, now: int) -> list[bytes]:
        """Pin an issuer: the first certificate of a PEM text, those above it behind it; of none, one's own issuer.

        Raises TrustError if it is no issuer below a root that is trusted here.
        """
        try:
            given = [root.public_bytes(Encoding.DER) for root in read_roots(pem)] if pem else []
            unpinned = replace(self._groups.trust, policy=replace(self._groups.trust.policy, pins=frozenset()))
            path = verify_issuer_path(given or self._groups.account.chain[1:], unpinned, now)
        except IdentityError as error:
            raise TrustError(
                f"it is no issuer below one of your roots: {error}",
                code="not-an-issuer",
                hint="Give a PEM file with the issuer's certificate, and those between it and the root behind it.",
            ) from error
        return self._change(lambda: self.kept.pin(path[-1], path[0], now), now)

    def unpin(self, issuer: str, now: int) -> list[bytes]:
        """Take back an issuer's pins. Raises TrustError."""
        return self._change(lambda: self.kept.unpin(issuer), now)

    def switch(self, switches: Switches, now: int) -> list[bytes]:
        """Set the policy's switches. Raises TrustError."""
        return self._change(lambda: self.kept.switch(switches), now)

    def set_code(self, code: str, prefixes: list[str], now: int) -> list[bytes]:
        """Say which numbers a code has, by prefixes; none strikes it out. Raises NumberError, TNAuthListError."""
        numbers = authority_list(prefixes) if prefixes else None
        return self._change(lambda: self.kept.set_code(ServiceProviderCode(code).code, numbers), now)

    def set_log(self, name: str, spki: bytes | None, now: int) -> list[bytes]:
        """Know a log by a name, or forget it. Raises TrustError, TransparencyError."""
        return self._change(lambda: self.kept.set_log(name, spki), now)

    def footing(self, fingerprint: str, now: int) -> Footing:
        """What would lose its footing with this root. Raises TrustError."""
        gone = self.kept.anchor(fingerprint).certificate
        trust = self._groups.trust
        without = DeviceVerifier(replace(trust, roots=tuple(root for root in trust.roots if root != gone)))
        chats, numbers = [], set[TelephoneNumber]()
        for chat in self._groups.chats.all():
            if chat.standing.is_member:
                lost = {number_of(member) for member in self._lost(chat.group_id, without, now)}
                numbers |= lost
                chats += [chat] if lost else []
        own = self._stands(self._groups.account.chain, without, now)
        return Footing(own, tuple(chats), tuple(sorted(numbers)))

    def _lost(self, group_id: bytes, without: DeviceVerifier, now: int) -> Iterator[mls_rs.Member]:
        for member in self._groups.members(group_id):
            if self._stands(member.credential.chain, without, now):
                yield member

    def _stands(self, chain: tuple[bytes, ...], without: DeviceVerifier, now: int) -> bool:
        """Whether a chain is valid now, and would not be without the root."""
        return not self._refusal(self._groups.verifier, chain, now) and bool(self._refusal(without, chain, now))

    def _refusal(self, verifier: DeviceVerifier, chain: tuple[bytes, ...], now: int) -> str:
        try:
            verifier.chains.verify(chain, now)
        except IdentityError as error:
            return str(error)
        return ""

    def _change(self, change: Callable[[], None], now: int) -> list[bytes]:
        """Make a change and let it take effect everywhere, or nowhere; returns the chats with a new line."""
        before = self._anchors.differing()
        earlier = self._groups.trust
        try:
            with self._store.transaction():
                change()
                self._use(self.kept.load())
                return self._anchors.changed(before, now)
        except BaseException:
            self._use(earlier)
            raise

    def _use(self, trust: TrustAnchors) -> None:
        self._groups.use_trust(trust)
        self._statuses.load()
