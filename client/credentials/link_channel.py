"""What two devices that share a code say to each other, sealed: the service between them sees names and ciphertext.

| step | by    | what it is                                                   | mailbox |
|------|-------|--------------------------------------------------------------|---------|
| 0    | first | an offer: its key                                            | 0       |
| 1    | new   | its key, its account at the authority, its name              | 0       |
| 2    | first | what the new device is to use, and its authority token       | 1       |
| 3    | new   | that it is certified and has key packages                    | 1       |
| 4    | first | which chats the new device was added to                      | 2       |

Each step has a key of its own, derived from the code with HKDF (RFC 5869) for this step and its author, so that no box
passes for another; its associated data is a digest of all boxes before it, so that both devices have seen the same.
"""

import hashlib
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from client.errors import LinkError
from identity.authority.links.wire import MAILBOX_DIGITS, SLOTS

STEPS = 5
NONCE_SIZE = 12  # octets, in front of each ciphertext
_LABEL = "ringtrue link 1"
COMPARED_DIGITS = 8


class LinkChannel:
    """One device's end; `seal` and `open` go through the steps in their order."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._step = 0
        self._transcript = hashlib.sha256(_LABEL.encode()).digest()

    @property
    def mailbox(self) -> str:
        """The name of the mailbox of the present step."""
        return self._derive(f"mailbox {self._step // len(SLOTS)}", MAILBOX_DIGITS // 2).hex()

    @property
    def slot(self) -> str:
        """Whose slot the present step's box is in."""
        return SLOTS[self._step % len(SLOTS)]

    @property
    def comparison(self) -> str:
        """Digits that are equal on both devices if they have seen the same boxes."""
        number = int.from_bytes(self._derive(f"compare {self._transcript.hex()}", 16)) % 10**COMPARED_DIGITS
        digits = f"{number:0{COMPARED_DIGITS}d}"
        return f"{digits[: COMPARED_DIGITS // 2]} {digits[COMPARED_DIGITS // 2 :]}"

    def seal(self, message: bytes) -> bytes:
        """The box of the present step; the next one is then the present one."""
        nonce = secrets.token_bytes(NONCE_SIZE)
        return self._passed(nonce + self._cipher().encrypt(nonce, message, self._transcript))

    def open(self, box: bytes) -> bytes:
        """What the other device sealed in the present step. Raises LinkError, and the step stays the present one."""
        try:
            message = self._cipher().decrypt(box[:NONCE_SIZE], box[NONCE_SIZE:], self._transcript)
        except (InvalidTag, ValueError) as error:
            raise LinkError(
                "what came from the other device was not sealed with this code, or was changed on its way",
                code="link-box",
            ) from error
        self._passed(box)
        return message

    def _passed(self, box: bytes) -> bytes:
        self._transcript = hashlib.sha256(self._transcript + hashlib.sha256(box).digest()).digest()
        self._step += 1
        return box

    def _cipher(self) -> ChaCha20Poly1305:
        assert self._step < STEPS, "there is no step after the last one"
        return ChaCha20Poly1305(self._derive(f"box {self._step} by {self.slot}", 32))

    def _derive(self, purpose: str, size: int) -> bytes:
        return HKDF(SHA256(), size, salt=None, info=f"{_LABEL}, {purpose}".encode()).derive(self._secret)
