"""A log elsewhere, as an authority uses it: submits, and believes no timestamp that the log has not signed."""

from collections.abc import Sequence
from typing import TypeVar

import httpx
import msgspec

from identity.authority.errors import LogError
from identity.authority.log.wire import PREFIX, Chain, Log, Logs, Timestamp
from identity.authority.remote_roots import TIMEOUT, read_limited
from identity.authority.wire import JSON_TYPE
from identity.certificate_fields import load_certificate
from identity.errors import IdentityError
from identity.transparency.entries import Entry, certificate_entry, precertificate_entry
from identity.transparency.log_key import LogKey
from identity.transparency.timestamps import SignedTimestamp

ANSWER_LIMIT = 64 * 1024  # octets

Answer = TypeVar("Answer", bound=msgspec.Struct)


class RemoteLog:
    """The log at a URL, under the key that it names at the start: whoever runs the authority vouches for the URL.

    Every method may raise LogError.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.Client(timeout=TIMEOUT, follow_redirects=False)  # one for all: connections stay open
        try:
            self.named, self._key = self._introduced()
        except LogError:
            self.close()
            raise

    def add_pre_chain(self, chain: Sequence[bytes], now: int) -> SignedTimestamp:
        """Have a precertificate logged; the log's own clock gives the time."""
        certificate, issuer, *_ = map(load_certificate, chain)
        return self._add("add-pre-chain", chain, precertificate_entry(certificate, issuer))

    def add_chain(self, chain: Sequence[bytes], now: int) -> SignedTimestamp:
        """Have a certificate logged."""
        return self._add("add-chain", chain, certificate_entry(load_certificate(chain[0])))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _introduced(self) -> tuple[Log, LogKey]:
        logs = self._asked("GET", "/v1/logs", Logs).logs
        if len(logs) != 1:
            raise LogError(f"{self._url} does not say which log it is; start one with: ringtrue authority serve-log")
        try:
            return msgspec.structs.replace(logs[0], url=self._url), logs[0].read()
        except IdentityError as error:
            raise LogError(f"the key of the log at {self._url} cannot be used: {error}") from error

    def _add(self, address: str, chain: Sequence[bytes], entry: Entry) -> SignedTimestamp:
        answer = self._asked("POST", f"{PREFIX}/{address}", Timestamp, Chain(list(chain)))
        try:
            timestamp = answer.read()
        except IdentityError as error:
            raise LogError(f"{self._url} answers with what is no timestamp: {error}") from error
        if not timestamp.is_by(self._key, entry):
            raise LogError(f"{self._url} answers with a timestamp that the log has not signed for this certificate")
        return timestamp

    def _asked(self, method: str, path: str, shape: type[Answer], body: msgspec.Struct | None = None) -> Answer:
        content = None if body is None else msgspec.json.encode(body)
        try:
            headers = {"content-type": JSON_TYPE}
            with self._http.stream(method, self._url + path, content=content, headers=headers) as answer:
                answer.raise_for_status()
                return msgspec.json.decode(read_limited(answer, ANSWER_LIMIT), type=shape)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise LogError(f"cannot use the log at {self._url}: {error}") from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise LogError(f"{self._url} answers with what is no log's answer: {error}") from error
