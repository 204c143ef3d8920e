"""Attachments: files encrypted for a message that offers them, opened again by its readers, and kept on disk.

    sealed = seal(read_file(path), path.name)
    part = sealed.part(await delivery.upload_blob(sealed.ciphertext, key))        # what the message carries
    octets = open_sealed(part, await delivery.download_blob(part.url, ciphertext_limit(part)))
    save(folder, part.filename, octets)

The message's signature covers the part, and with its hash and key the ciphertext and what it decrypts to: nobody can
put another file in its place, and AES-GCM's want of key commitment gives a sender no second reading of it.
"""

import hashlib
import os
import secrets
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from client.errors import ClientError, ContentError
from client.filenames import numbered, safe_filename
from client.parts import AES_128_GCM, SHA_256, ExternalPart
from delivery_service.wire import BLOB_LIMIT

KEY_SIZE = 16  # octets
NONCE_SIZE = 12  # octets
TAG_SIZE = 16  # octets that the ciphertext is longer than the file
ATTACHMENT_LIMIT = BLOB_LIMIT - TAG_SIZE  # octets of a file
NUMBERS_LIMIT = 1_000  # files of one name in a folder

TEXT_TYPE = "text/plain;charset=utf-8"
UNKNOWN_TYPE = "application/octet-stream"
_IMAGE_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_STARTS = {**_IMAGE_STARTS, b"%PDF-": "application/pdf"}
_TEXT_CONTROLS = {ord(control): None for control in "\t\n\f\r"}


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted file, to be uploaded before the message that offers it. `size`: octets of the file itself."""

    ciphertext: bytes = field(repr=False)
    filename: str
    content_type: str
    size: int
    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)

    def part(self, url: str, *, expires: int = 0) -> ExternalPart:
        """The part that offers the file at `url` until `expires` (Unix seconds), 0 if that is not stated."""
        return ExternalPart(
            content_type=self.content_type,
            url=url,
            size=self.size,
            key=self.key,
            nonce=self.nonce,
            content_hash=hashlib.sha256(self.ciphertext).digest(),
            filename=self.filename,
            expires=expires,
        )


def read_file(path: Path) -> bytes:
    """Read a file that is to be sent. Raises ClientError if it cannot be read, is empty or is too large."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ClientError(f"{str(path)!a} is not a file", code="not-a-file", hint="Choose a file.")
            return _of_sendable_size(file.read(ATTACHMENT_LIMIT + 1))
    except (OSError, ValueError) as error:
        raise ClientError(
            f"{str(path)!a} cannot be read ({_reason(error)})",
            code="cannot-read",
            hint="Check its name and permissions.",
        ) from error


def seal(octets: bytes, filename: str) -> Sealed:
    """Encrypt a file under a key of its own (AES-128-GCM, draft-ietf-mimi-content-08 §3.4). Raises ClientError.

    Of `filename` only the last component is told, in its safe form; the content type is found in the octets.
    """
    _of_sendable_size(octets)
    key, nonce = secrets.token_bytes(KEY_SIZE), secrets.token_bytes(NONCE_SIZE)
    ciphertext = AESGCM(key).encrypt(nonce, octets, b"")
    return Sealed(ciphertext, safe_filename(filename), content_type_of(octets), len(octets), key, nonce)


def ciphertext_limit(part: ExternalPart) -> int:
    """How many octets may be fetched for a part. Raises ContentError if the file that it offers is too large."""
    if part.size > ATTACHMENT_LIMIT:
        raise ContentError(f"the attachment is said to have {part.size} octets", code="attachment-too-large")
    return part.size + TAG_SIZE if part.size else BLOB_LIMIT


def open_sealed(part: ExternalPart, ciphertext: bytes) -> bytes:
    """Decrypt what lay at a part's URL. Raises ContentError, with one code for each check that fails."""
    supported = (part.encryption, part.hash_algorithm, len(part.key), len(part.nonce))
    if supported != (AES_128_GCM, SHA_256, KEY_SIZE, NONCE_SIZE):
        raise ContentError("the attachment is encrypted in a way that is not known here", code="attachment-unsupported")
    limit = ciphertext_limit(part)
    if len(ciphertext) > limit or (part.size and len(ciphertext) != limit):
        raise ContentError(
            f"the attachment has {len(ciphertext)} octets, and its message says {limit}", code="attachment-size"
        )
    # The draft hashes "the content at the target url", which is the ciphertext.
    if hashlib.sha256(ciphertext).digest() != part.content_hash:
        raise ContentError("the attachment is not the one that its message names", code="attachment-hash")
    try:
        return AESGCM(part.key).decrypt(part.nonce, ciphertext, part.aad)
    except InvalidTag as error:
        raise ContentError("the attachment's key does not open it", code="attachment-key") from error


def content_type_of(octets: bytes) -> str:
    """The content type that the octets themselves show; what a sender declares is only a claim."""
    if octets.startswith(b"RIFF") and octets[8:12] == b"WEBP":
        return "image/webp"
    for start, content_type in _STARTS.items():
        if octets.startswith(start):
            return content_type
    return TEXT_TYPE if _is_text(octets) else UNKNOWN_TYPE


def looks_like_image(octets: bytes) -> bool:
    """Whether the octets begin as a PNG, JPEG, GIF or WebP image does; it may still be a broken one."""
    return content_type_of(octets).startswith("image/")


def save(folder: Path, filename: str, octets: bytes) -> Path:
    """Write a file that only its owner can read under the safe form of `filename`; the answer is its path.

    Nothing is overwritten: a name that is taken, if only by a symbolic link, gets a number. Raises ClientError, and
    then leaves nothing behind.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path, descriptor = _new_file(folder, safe_filename(filename))
        with ExitStack() as undo:
            undo.callback(path.unlink, missing_ok=True)
            with open(descriptor, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(descriptor)
            undo.pop_all()
    except (OSError, ValueError) as error:
        raise ClientError(
            f"nothing can be saved in {str(folder)!a} ({_reason(error)})",
            code="cannot-save",
            hint="Check the folder, its permissions and the disk's space, or choose another folder.",
        ) from error
    return path


def _new_file(folder: Path, name: str) -> tuple[Path, int]:
    for number in range(1, NUMBERS_LIMIT + 1):
        path = folder / numbered(name, number)
        try:
            # O_EXCL follows no symbolic link, not even one that leads nowhere.
            return path, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
    raise ClientError(
        f"{str(folder)!a} holds {NUMBERS_LIMIT} files of that name", code="cannot-save", hint="Choose another folder."
    )


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # to open a pipe would otherwise wait for who writes into it


def _of_sendable_size(octets: bytes) -> bytes:
    if 0 < len(octets) <= ATTACHMENT_LIMIT:
        return octets
    what, code = ("too large", "attachment-too-large") if octets else ("empty", "attachment-empty")
    raise ClientError(f"the file is {what}", code=code, hint=f"Send a file of 1 to {ATTACHMENT_LIMIT:,} octets.")


def _is_text(octets: bytes) -> bool:
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return False
    return not any(character < " " or character == "\x7f" for character in text.translate(_TEXT_CONTROLS))


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
