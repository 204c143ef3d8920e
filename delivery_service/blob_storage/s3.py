"""Blobs in an S3-compatible object storage; an upload is a multipart upload, so that pieces may come by any replica.

S3Blobs("s3://bucket/prefix", "https://s3.example")     # credentials: from the usual environment or profile, only
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from delivery_service.blob_storage import BlobStorage, no_blob, no_upload
from delivery_service.errors import StartError, StoreError

ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([0-9A-Za-z/_.-]*))?")
CONNECTIONS = 8  # requests to the storage at once; more wait
RANGE = 1024 * 1024  # octets that are read at once
CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 30  # seconds without an octet
ATTEMPTS = 3
DEFAULT_REGION = "us-east-1"  # where neither environment nor profile names one
GONE = {"NoSuchUpload", "NoSuchKey", "404", "InvalidPart", "NotFound"}

T = TypeVar("T")


class S3Blobs(BlobStorage):
    """A BlobStorage for any number of processes. Raises StartError for an address that is none."""

    def __init__(self, address: str, endpoint: str | None = None) -> None:
        named = ADDRESS.fullmatch(address)
        if named is None:
            raise StartError(f"{address!a} is not an address of an object storage: write s3://BUCKET/PREFIX")
        self._bucket = named[1]
        self._prefix = f"{named[2].strip('/')}/" if named[2] and named[2].strip("/") else ""
        self._endpoint = endpoint
        self._threads: ThreadPoolExecutor | None = None
        self._s3: Any = None

    async def start(self) -> None:
        """See BlobStorage."""
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="ringtrue-s3")
        try:
            self._s3 = await asyncio.to_thread(self._connect)
            await self._run(self._s3.head_bucket)
        except (BotoCoreError, ClientError, StoreError, ValueError) as error:
            await self.stop()
            raise StartError(
                f"the bucket {self._bucket} cannot be used: {error}. Check --blobs, --s3-endpoint and the credentials"
            ) from error

    async def stop(self) -> None:
        """See BlobStorage."""
        if self._threads is not None:
            await asyncio.to_thread(self._threads.shutdown)
        if self._s3 is not None:
            self._s3.close()

    async def begin(self, place: str) -> str:
        """See BlobStorage."""
        begun = await self._run(self._s3.create_multipart_upload, Key=self._key(place))
        return str(begun["UploadId"])

    async def put(self, place: str, token: str, piece: int, octets: bytes) -> str:
        """See BlobStorage."""
        try:
            kept = await self._run(
                self._s3.upload_part, Key=self._key(place), UploadId=token, PartNumber=piece + 1, Body=octets
            )
        except _GoneError:
            raise no_upload() from None
        return str(kept["ETag"])

    async def seal(self, place: str, token: str, tags: Sequence[str]) -> bytes:
        """See BlobStorage. What the storage has is read back: its word for a digest is not taken."""
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
        with suppress(_GoneError):  # it was completed before, or there is nothing to read below
            await self._run(
                self._s3.complete_multipart_upload,
                Key=self._key(place),
                UploadId=token,
                MultipartUpload={"Parts": parts},
            )
        return await self._digest(place)

    async def read(self, place: str, start: int, end: int) -> AsyncGenerator[bytes]:
        """See BlobStorage. Each range is a request of its own, so that a slow reader holds no connection."""
        for position in range(start, end, RANGE):
            last = min(end, position + RANGE) - 1
            try:
                yield await self._run(self._range, place, f"bytes={position}-{last}")
            except _GoneError:
                raise no_blob() from None

    async def drop(self, place: str, token: str | None = None) -> None:
        """See BlobStorage."""
        for upload in [token] if token is not None else await self._uploads(place):
            try:
                await self._run(self._s3.abort_multipart_upload, Key=self._key(place), UploadId=upload)
            except _GoneError:
                continue
        if token is None:
            await self._run(self._s3.delete_object, Key=self._key(place))

    def _connect(self) -> Any:
        session = boto3.session.Session()
        config = Config(
            region_name=session.region_name or DEFAULT_REGION,
            max_pool_connections=CONNECTIONS,
            connect_timeout=CONNECT_TIMEOUT,
            read_timeout=READ_TIMEOUT,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            s3={"addressing_style": "auto" if self._endpoint is None else "path"},
        )
        return session.client("s3", endpoint_url=self._endpoint, config=config)

    async def _run(self, request: Callable[..., T], *values: str, **named: object) -> T:
        def carried_out() -> T:
            return request(*values, **named) if values else request(Bucket=self._bucket, **named)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, carried_out)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in GONE:
                raise _GoneError(str(error)) from error
            raise StoreError(f"the object storage: {error}") from error
        except BotoCoreError as error:
            raise StoreError(f"the object storage: {error}") from error

    def _range(self, place: str, octets: str) -> bytes:
        answer = self._s3.get_object(Bucket=self._bucket, Key=self._key(place), Range=octets)
        with answer["Body"] as body:
            return bytes(body.read())

    async def _digest(self, place: str) -> bytes:
        digest = hashlib.sha256()
        try:
            head = await self._run(self._s3.head_object, Key=self._key(place))
        except _GoneError:
            raise no_upload() from None
        async for octets in self.read(place, 0, head["ContentLength"]):
            digest.update(octets)
        return digest.digest()

    async def _uploads(self, place: str) -> Iterable[str]:
        found = await self._run(self._s3.list_multipart_uploads, Prefix=self._key(place))
        return [upload["UploadId"] for upload in found.get("Uploads", ()) if upload["Key"] == self._key(place)]

    def _key(self, place: str) -> str:
        return f"{self._prefix}{place}"


class _GoneError(StoreError):
    """What a request is about is not there."""
