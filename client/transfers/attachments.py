"""Attachments: files encrypted for a message that offers them, opened again by its readers, and kept on disk.

    sealed = seal(read_file(path), path.name, target)         # target: a file that takes the ciphertext
    part = sealed.part(url)                                   # what the message carries once the ciphertext is stored
    save(folder, part.filename, open_sealed(part, source))    # source: a file with the ciphertext that was fetched

All of it goes through CHUNK octets at a time. The message's signature covers the part, and with its hash and key the
ciphertext and what it decrypts to: nobody can put another file in its place, and AES-GCM's want of key commitment gives
a sender no second reading of it.
"""

import codecs
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from client.errors import ClientError, ContentError
from client.formats.filenames import numbered, safe_filename
from client.formats.parts import AES_128_GCM, SHA_256, ExternalPart
from delivery_service.wire import BLOB_LIMIT

KEY_SIZE = 16  # octets
NONCE_SIZE = 12  # octets
TAG_SIZE = 16  # octets that the ciphertext is longer than the file
ATTACHMENT_LIMIT = BLOB_LIMIT - TAG_SIZE  # octets of a file
CHUNK = 1024 * 1024  # octets in memory at once
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
_START = 16  # octets that tell a picture
_TEXT_CONTROLS = {ord(control): None for control in "\t\n\f\r"}


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a message says of a file whose ciphertext is elsewhere. `size`: octets of the file itself."""

    filename: str
    content_type: str
    size: int
    key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    content_hash: bytes

    def part(self, url: str, *, expires: int = 0) -> ExternalPart:
        """The part that offers the file at `url` until `expires` (Unix seconds), 0 if that is not stated."""
        return ExternalPart(
            content_type=self.content_type,
            url=url,
            size=self.size,
            key=self.key,
            nonce=self.nonce,
            content_hash=self.content_hash,
            filename=self.filename,
            expires=expires,
        )


def read_file(path: Path) -> Iterator[bytes]:
    """Read a file that is to be sent. Raises ClientError if it cannot be read, is empty or is too large."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not S_ISREG(status.st_mode):
                raise ClientError(f"{str(path)!a} is not a file", code="not-a-file", hint="Choose a file.")
            _check_size(status.st_size)
            while chunk := file.read(CHUNK):
                yield chunk
    except (OSError, ValueError) as error:
        raise ClientError(
            f"{str(path)!a} cannot be read ({_reason(error)})",
            code="cannot-read",
            hint="Check its name and permissions.",
        ) from error


def seal(chunks: Iterable[bytes], filename: str, target: BinaryIO) -> Sealed:
    """Encrypt a file under a key of its own (AES-128-GCM, draft-ietf-mimi-content-08 §3.4). Raises ClientError.

    Of `filename` only the last component is told, in its safe form; the content type is found in the octets.
    """
    key, nonce = secrets.token_bytes(KEY_SIZE), secrets.token_bytes(NONCE_SIZE)
    sealing, digest, looking = Cipher(AES(key), GCM(nonce)).encryptor(), hashlib.sha256(), _Looking()
    for chunk in filter(None, chunks):
        looking.at(chunk)
        _check_size(looking.size)
        _put(sealing.update(chunk), digest, target)
    _check_size(looking.size)
    _put(sealing.finalize() + sealing.tag, digest, target)
    return Sealed(safe_filename(filename), looking.content_type(), looking.size, key, nonce, digest.digest())


def ciphertext_limit(part: ExternalPart) -> int:
    """How many octets may be fetched for a part. Raises ContentError if the file that it offers is too large."""
    if part.size > ATTACHMENT_LIMIT:
        raise ContentError(f"the attachment is said to have {part.size} octets", code="attachment-too-large")
    return part.size + TAG_SIZE if part.size else BLOB_LIMIT


def open_sealed(part: ExternalPart, source: BufferedIOBase) -> Iterator[bytes]:
    """Decrypt what lay at a part's URL. Raises ContentError, with one code for each check that fails.

    Nothing is handed out before everything was checked, hence the three passes.
    """
    supported = (part.encryption, part.hash_algorithm, len(part.key), len(part.nonce))
    if supported != (AES_128_GCM, SHA_256, KEY_SIZE, NONCE_SIZE):
        raise ContentError("the attachment is encrypted in a way that is not known here", code="attachment-unsupported")
    limit, size = ciphertext_limit(part), source.seek(0, os.SEEK_END)
    if size > limit or (part.size and size != limit):
        raise ContentError(f"the attachment has {size} octets, and its message says {limit}", code="attachment-size")
    # The draft hashes "the content at the target url", which is the ciphertext.
    if digest_of(source) != part.content_hash:
        raise ContentError("the attachment is not the one that its message names", code="attachment-hash")
    try:
        for _ in _decrypted(part, source, size):
            pass
    except InvalidTag as error:
        raise ContentError("the attachment's key does not open it", code="attachment-key") from error
    return _decrypted(part, source, size)


def digest_of(source: BufferedIOBase) -> bytes:
    """The SHA-256 of a whole file."""
    source.seek(0)
    return hashlib.file_digest(source, "sha256").digest()


def content_type_of(octets: bytes) -> str:
    """The content type that the octets themselves show; what a sender declares is only a claim."""
    looking = _Looking()
    looking.at(octets)
    return looking.content_type()


def looks_like_image(octets: bytes) -> bool:
    """Whether the octets begin as a PNG, JPEG, GIF or WebP image does; it may still be a broken one."""
    return content_type_of(octets).startswith("image/")


def save(folder: Path, filename: str, chunks: Iterable[bytes]) -> Path:
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
                file.writelines(chunks)
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


class _Looking:
    """Finds out what a file is while it goes by."""

    def __init__(self) -> None:
        self.size = 0
        self._start = b""
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()

    def at(self, chunk: bytes) -> None:
        """Look at the next octets."""
        self.size += len(chunk)
        if len(self._start) < _START:
            self._start = (self._start + chunk[:_START])[:_START]
        if self._decoder is not None and not _is_text(self._decoder, chunk, final=False):
            self._decoder = None

    def content_type(self) -> str:
        """What it was."""
        if self._start.startswith(b"RIFF") and self._start[8:12] == b"WEBP":
            return "image/webp"
        for start, content_type in _STARTS.items():
            if self._start.startswith(start):
                return content_type
        text = self._decoder is not None and _is_text(self._decoder, b"", final=True)
        return TEXT_TYPE if text else UNKNOWN_TYPE


def _is_text(decoder: codecs.IncrementalDecoder, octets: bytes, *, final: bool) -> bool:
    try:
        text = decoder.decode(octets, final)
    except UnicodeDecodeError:
        return False
    return not any(character < " " or character == "\x7f" for character in text.translate(_TEXT_CONTROLS))


def _decrypted(part: ExternalPart, source: BufferedIOBase, size: int) -> Iterator[bytes]:
    """The file's octets. Raises InvalidTag at their end, if the key, the nonce or the ciphertext is another."""
    if size < TAG_SIZE:
        raise InvalidTag
    source.seek(size - TAG_SIZE)
    opening = Cipher(AES(part.key), GCM(part.nonce, source.read(TAG_SIZE))).decryptor()
    opening.authenticate_additional_data(part.aad)
    source.seek(0)
    for position in range(0, size - TAG_SIZE, CHUNK):
        yield opening.update(source.read(min(CHUNK, size - TAG_SIZE - position)))
    opening.finalize()


def _put(octets: bytes, digest: "hashlib._Hash", target: BinaryIO) -> None:
    digest.update(octets)
    target.write(octets)


def _check_size(size: int) -> None:
    if not 0 < size <= ATTACHMENT_LIMIT:
        what, code = ("too large", "attachment-too-large") if size else ("empty", "attachment-empty")
        raise ClientError(f"the file is {what}", code=code, hint=f"Send a file of 1 to {ATTACHMENT_LIMIT:,} octets.")


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
