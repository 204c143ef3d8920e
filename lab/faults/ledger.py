"""What was seen at the network during a run: what replicas have confirmed, and which key packages they handed out."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from delivery_service.wire import Appended, ClaimedKeyPackages
from identity.base64url import decode_base64url

CONFIRMED, HANDED_OUT, FAILED = 201, 200, 500


@dataclass(slots=True)
class Ledger:
    """`confirmed`: group id, digest of the body and place of each entry that a replica said it has appended."""

    confirmed: set[tuple[bytes, bytes, int]] = field(default_factory=set)
    handed_out: Counter[bytes] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def answered(self, method: str, path: str, request: bytes, status: int, answer: bytes) -> None:
        """Note one whole answer of a replica, whether it reaches anybody or not."""
        if status == FAILED:
            self.failures.append(f"{method} {path}: {answer[:200]!r}")
        if method != "POST":
            return
        if path == "/v1/key-packages/claims" and status == HANDED_OUT:
            self.handed_out.update(msgspec.json.decode(answer, type=ClaimedKeyPackages).key_packages)
        elif path.endswith(("/entries", "/commits")) and status == CONFIRMED:
            group_id = decode_base64url(path.split("/")[3].encode())
            seq = msgspec.json.decode(answer, type=Appended).seq
            self.confirmed.add((group_id, hashlib.sha256(request).digest(), seq))
