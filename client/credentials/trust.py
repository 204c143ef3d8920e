"""Whom this account believes: roots, pins below them, and a policy. What enrolment brought are its first entries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from client.credentials.anchor_files import read_roots
from client.errors import TrustError
from client.storage.store import Store
from identity.certificate_fields import load_certificate
from identity.issuer_path import issuer_keys
from identity.tn_auth_list import TNAuthList
from identity.transparency.log_key import LogKey
from identity.trust import CodeParents, Pin, TrustAnchors, TrustPolicy, key_hash

LIST = "See what there is: ringtrue trust list"
ANCHORS_LIMIT = 256  # roots, pins, codes and logs of one account: each of them
DIGITS_AT_LEAST = 6  # hexadecimal, of the beginning of a fingerprint that a person types


class Switches(msgspec.Struct, frozen=True):
    """The switches of a policy, as they lie in the store; their meaning is that of TrustPolicy."""

    non_ecdsa_issuers: bool = False
    code_parents: CodeParents = CodeParents.ADMIT
    code_leaves: bool = True
    unknown_policies: bool = True
    scts: int = 0
    uri_identities: bool = False


@dataclass(frozen=True, slots=True)
class KnownAnchor:
    """A root; `imported` by a person or else part of the enrolment, in which case `added_at` may be unknown."""

    certificate: x509.Certificate
    imported: bool
    added_at: int | None

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the certificate."""
        return self.certificate.fingerprint(hashes.SHA256())


@dataclass(frozen=True, slots=True)
class KnownPin:
    """An issuer that is pinned below a root, with the certificate that a person saw then."""

    pin: Pin
    certificate: x509.Certificate
    added_at: int


class TrustStore:
    """The rows of trust. Every change runs inside the caller's transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begin()

    def load(self) -> TrustAnchors:
        """Roots and policy together, as chains are verified with them."""
        switches = self.switches()
        policy = TrustPolicy(
            non_ecdsa_issuers=switches.non_ecdsa_issuers,
            code_parents=switches.code_parents,
            code_leaves=switches.code_leaves,
            unknown_policies=switches.unknown_policies,
            pins=frozenset(known.pin for known in self.pins()),
            logs=tuple(self.logs()),
            scts=switches.scts,
            uri_identities=switches.uri_identities,
            directory=tuple(self.codes().items()),
        )
        return TrustAnchors(tuple(known.certificate for known in self.anchors()), policy)

    def anchors(self) -> list[KnownAnchor]:
        """Every root, those of the enrolment first."""
        rows = self._store.rows(
            "SELECT certificate, imported, added_at FROM trust_anchor ORDER BY imported, added_at, fingerprint"
        )
        return [KnownAnchor(load_certificate(der), bool(imported), added_at) for der, imported, added_at in rows]

    def anchor(self, fingerprint: str) -> KnownAnchor:
        """The root whose fingerprint begins so. Raises TrustError unless it is exactly one."""
        found = [known for known in self.anchors() if known.fingerprint.hex().startswith(_digits(fingerprint))]
        if len(found) != 1:
            why = "several roots begin so; write more of the fingerprint" if found else "no root begins so"
            raise TrustError(f"{fingerprint!a}: {why}", code="unknown-anchor", hint=LIST)
        return found[0]

    def add(self, roots: Iterable[x509.Certificate], now: int) -> None:
        """Believe roots that a person has agreed to; one that is there stays as it is."""
        for root in roots:
            self._insert(root, imported=True, added_at=now)
        if len(self.anchors()) > ANCHORS_LIMIT:
            raise TrustError(f"an account has at most {ANCHORS_LIMIT} roots", code="too-many", hint=LIST)

    def remove(self, known: KnownAnchor, *, last: bool = False) -> None:
        """Believe a root no more, and forget the pins below it if no other has its key.

        Raises TrustError for the `last` one unless that is said.
        """
        others = [each for each in self.anchors() if each.fingerprint != known.fingerprint]
        if not others and not last:
            raise TrustError(
                "it is the last root: without one nothing is verified",
                code="last-anchor",
                hint="Import another one first, or remove it all the same with --last.",
            )
        self._store.execute("DELETE FROM trust_anchor WHERE fingerprint = ?", known.fingerprint)
        root = key_hash(known.certificate)
        if root not in (key_hash(each.certificate) for each in others):
            self._store.execute("DELETE FROM trust_pin WHERE root = ?", root)

    def pins(self) -> list[KnownPin]:
        """Every pin, by root."""
        rows = self._store.rows("SELECT root, issuer, certificate, added_at FROM trust_pin ORDER BY root, added_at")
        return [KnownPin(Pin(root, issuer), load_certificate(der), added_at) for root, issuer, der, added_at in rows]

    def pin(self, root: x509.Certificate, issuer: x509.Certificate, now: int) -> None:
        """Let below a root only this issuer count, and those that were pinned below it before."""
        self._store.execute(
            "INSERT OR REPLACE INTO trust_pin VALUES (?, ?, ?, ?)",
            key_hash(root),
            key_hash(issuer),
            issuer.public_bytes(Encoding.DER),
            now,
        )
        if len(self.pins()) > ANCHORS_LIMIT:
            raise TrustError(f"an account has at most {ANCHORS_LIMIT} pins", code="too-many", hint=LIST)

    def unpin(self, issuer: str) -> None:
        """Take back the pins of an issuer whose key's SHA-256 begins so. Raises TrustError if there are none."""
        beginning = _digits(issuer)
        found = [known.pin for known in self.pins() if known.pin.issuer.hex().startswith(beginning)]
        if len({pin.issuer for pin in found}) != 1:
            why = "several pinned issuers begin so" if found else "no pinned issuer begins so"
            raise TrustError(f"{issuer!a}: {why}", code="unknown-pin", hint=LIST)
        self._store.execute("DELETE FROM trust_pin WHERE issuer = ?", found[0].issuer)

    def switches(self) -> Switches:
        """The switches as they stand."""
        row = self._store.row("SELECT switches FROM trust_policy")
        return Switches() if row is None else msgspec.msgpack.decode(row[0], type=Switches)

    def switch(self, switches: Switches) -> None:
        """Set the switches. Raises TrustError if more logs are to vouch than are known."""
        if switches.scts > len(self.logs()):
            raise TrustError(
                f"{switches.scts} cannot vouch: of the logs, {len(self.logs())} are known here",
                code="unknown-log",
                hint="Name a log first: ringtrue trust log NAME FILE",
            )
        self._store.execute("UPDATE trust_policy SET switches = ?", msgspec.msgpack.encode(switches))

    def codes(self) -> dict[str, TNAuthList]:
        """The person's directory: which numbers a service provider code has."""
        rows = self._store.rows("SELECT code, numbers FROM trust_code ORDER BY code")
        return {code: TNAuthList.decode(der) for code, der in rows}

    def set_code(self, code: str, numbers: TNAuthList | None) -> None:
        """Enter a code's numbers into the directory, or strike it out."""
        self._store.execute("DELETE FROM trust_code WHERE code = ?", code)
        if numbers is not None:
            self._store.execute("INSERT INTO trust_code VALUES (?, ?)", code, numbers.encode())
        if len(self.codes()) > ANCHORS_LIMIT:
            raise TrustError(f"a directory has at most {ANCHORS_LIMIT} codes", code="too-many", hint=LIST)

    def logs(self) -> list[LogKey]:
        """The logs that may vouch for certificates, by name."""
        return [LogKey(name, spki) for name, spki in self._store.rows("SELECT name, spki FROM trust_log ORDER BY name")]

    def set_log(self, name: str, spki: bytes | None) -> None:
        """Know a log by this name, or forget it. Raises TransparencyError if it is no log's key."""
        log = None if spki is None else LogKey(name, spki)
        self._store.execute("DELETE FROM trust_log WHERE name = ?", name)
        if log is not None:
            self._store.execute("INSERT OR REPLACE INTO trust_log VALUES (?, ?, ?)", log.log_id, log.name, log.spki)
        self.switch(self.switches())

    def _begin(self) -> None:
        """Take over what the account enrolled with; afterwards an empty list is one that a person has emptied."""
        account = self._store.row("SELECT anchors FROM account")
        if account is None or self._store.row("SELECT 1 FROM trust_policy") is not None:
            return
        with self._store.transaction():
            for root in read_roots(account[0]):
                self._insert(root, imported=False, added_at=None)
            self._store.execute("INSERT INTO trust_policy VALUES (1, ?)", msgspec.msgpack.encode(Switches()))

    def _insert(self, root: x509.Certificate, *, imported: bool, added_at: int | None) -> None:
        self._store.execute(
            "INSERT OR IGNORE INTO trust_anchor VALUES (?, ?, ?, ?)",
            root.fingerprint(hashes.SHA256()),
            root.public_bytes(Encoding.DER),
            imported,
            added_at,
        )


def load_trust(store: Store) -> TrustAnchors:
    """The roots and the policy of the account in this store."""
    return TrustStore(store).load()


def own_issuers(chain: Sequence[bytes], trust: TrustAnchors) -> frozenset[bytes]:
    """Whose lists of numbers this account believes: the issuers of its own chain, and those that it has pinned."""
    return issuer_keys(chain) | {pin.issuer for pin in trust.policy.pins}


def _digits(fingerprint: str) -> str:
    digits = fingerprint.strip().lower().replace(":", "").replace(" ", "")
    if len(digits) < DIGITS_AT_LEAST or not set(digits) <= set("0123456789abcdef"):
        raise TrustError(
            f"{fingerprint!a} is not the beginning of a fingerprint: {DIGITS_AT_LEAST} hexadecimal digits or more",
            code="fingerprint",
            hint=LIST,
        )
    return digits
