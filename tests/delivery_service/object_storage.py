"""An S3-compatible object storage on this machine: the versitygw that tests/interop/install brings, over a folder."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

BUCKET = "blobs"
INSTALLED = Path(__file__).parents[1] / "interop" / "bin" / "versitygw"
PROGRAM = str(INSTALLED) if INSTALLED.exists() else shutil.which("versitygw")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "ringtrue",
    "AWS_SECRET_ACCESS_KEY": "only-for-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
START_TIME = 30  # seconds


@dataclass
class ObjectStorage:
    """A gateway that runs, with an empty bucket; `process` can be killed and started again."""

    folder: Path
    endpoint: str
    process: subprocess.Popen[bytes]

    def restart(self) -> None:
        self.process = _started(self.folder, self.endpoint)

    def multipart_uploads(self) -> int:
        with_s3 = boto3.client("s3", endpoint_url=self.endpoint)
        try:
            return len(with_s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))
        finally:
            with_s3.close()

    def objects(self) -> int:
        with_s3 = boto3.client("s3", endpoint_url=self.endpoint)
        try:
            return int(with_s3.list_objects_v2(Bucket=BUCKET)["KeyCount"])
        finally:
            with_s3.close()


@contextmanager
def running_object_storage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStorage]:
    if PROGRAM is None:
        pytest.skip("versitygw is not installed: tests/interop/install")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
    (folder / BUCKET).mkdir(parents=True)
    storage = ObjectStorage(folder, endpoint, _started(folder, endpoint))
    try:
        yield storage
    finally:
        storage.process.kill()
        storage.process.wait()


def _started(folder: Path, endpoint: str) -> subprocess.Popen[bytes]:
    address = endpoint.removeprefix("http://")
    secrets = {
        "ROOT_ACCESS_KEY": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "ROOT_SECRET_KEY": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
    process = subprocess.Popen(
        [str(PROGRAM), "--port", address, "posix", str(folder)],
        env={**os.environ, **secrets},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    host, _, port = address.partition(":")
    ends = time.monotonic() + START_TIME
    while True:
        try:
            socket.create_connection((host, int(port)), 1).close()
        except OSError:
            assert process.poll() is None, "the object storage ended"
            assert time.monotonic() < ends, "the object storage does not answer"
            time.sleep(0.05)
        else:
            return process
