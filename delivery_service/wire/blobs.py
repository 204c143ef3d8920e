"""Blobs: the shapes and limits of uploads in pieces, of downloads in ranges, and of what one number may have stored."""

from typing import Annotated

import msgspec

PIECE_SIZE = 5 * 1024 * 1024  # octets of each piece of an upload; the last one is shorter
UPLOADS_OPEN = 8  # uploads of one number that are not finished
UPLOAD_LIFETIME = 86_400  # seconds from its opening until an unfinished upload is deleted
BLOB_OCTETS_KEPT = 2 * 1024 * 1024 * 1024  # octets that one number has stored or has begun to upload

BlobName = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class BlobUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Opens an upload of a blob: `blob` is the SHA-256 of its octets, 64 hexadecimal digits in lower case."""

    blob: BlobName
    size: int


class UploadState(msgspec.Struct, frozen=True):
    """How far an upload has come: the numbers of the pieces that are missing, from 0.

    `upload`: 32 hexadecimal digits; empty where the blob is `stored`, so that it can be read already. `expires_at`: the
    second after which the upload, or the blob, may be gone.
    """

    upload: str
    piece_size: int
    missing: list[int]
    stored: bool
    expires_at: int


class BlobStored(msgspec.Struct, frozen=True):
    """A blob that can be read, and the second after which it may be gone."""

    blob: str
    expires_at: int
