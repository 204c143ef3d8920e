"""A log elsewhere, as an authority uses it: submits, and believes no timestamp that the log has not signed."""

from collections.abc import Sequence
from typing import TypeVar

import httpx
import msgspec

from identity.authority.errors import LogError
from identity.authority.log.wire import PREFIX, Chain, Log, Logs, Timestamp
from identity.certificate_fields import load_certificate
from identity.errors import IdentityError
from identity.transparency.entries import Entry, certificate_entry, precertificate_entry
from identity.transparency.timestamps import SignedTimestamp

ANSWER_LIMIT = 64 * 1024  # octets
TIMEOUT = 10  # seconds

Answer = TypeVar("Answer", bound=msgspec.Struct)


class RemoteLog:
    """The log at a URL, under the key that it was first seen with. Every method may raise LogError."""

    def __init__(self, named: Log) -> None:
        self.named = named
        try:
            self._log = named.read()
        except IdentityError as error:
            raise LogError(f"the key of the log at {named.url} cannot be used: {error}") from error

    @classmethod
    def at(cls, url: str) -> "RemoteLog":
        """Ask the log at a URL for its name and key: whoever runs the authority vouches for the URL."""
        base = url.rstrip("/")
        logs = _answer("GET", f"{base}/v1/logs", Logs).logs
        if len(logs) != 1:
            raise LogError(f"{url} does not say which log it is; start that log first: ringtrue authority serve-log")
        return cls(msgspec.structs.replace(logs[0], url=base))

    def add_pre_chain(self, chain: Sequence[bytes], now: int) -> SignedTimestamp:
        """Have a precertificate logged; the log's clock gives the time."""
        certificate, issuer, *_ = map(load_certificate, chain)
        return self._add("add-pre-chain", chain, precertificate_entry(certificate, issuer))

    def add_chain(self, chain: Sequence[bytes], now: int) -> SignedTimestamp:
        """Have a certificate logged."""
        return self._add("add-chain", chain, certificate_entry(load_certificate(chain[0])))

    def _add(self, address: str, chain: Sequence[bytes], entry: Entry) -> SignedTimestamp:
        url = f"{self.named.url}{PREFIX}/{address}"
        try:
            timestamp = _answer("POST", url, Timestamp, Chain(list(chain))).read()
        except IdentityError as error:
            raise LogError(f"{url} answers with what is no timestamp: {error}") from error
        if not timestamp.is_by(self._log, entry):
            raise LogError(f"{url} answers with a timestamp that the log has not signed for this certificate")
        return timestamp


def _answer(method: str, url: str, shape: type[Answer], body: msgspec.Struct | None = None) -> Answer:
    try:
        return msgspec.json.decode(_sent(method, url, body), type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LogError(f"{url} answers with what is no log's answer: {error}") from error


def _sent(method: str, url: str, body: msgspec.Struct | None = None) -> bytes:
    content = None if body is None else msgspec.json.encode(body)
    headers = {"content-type": "application/json"}
    try:
        answer = httpx.request(method, url, content=content, headers=headers, timeout=TIMEOUT, follow_redirects=False)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise LogError(f"cannot reach the log: {error}") from error
    if len(answer.content) > ANSWER_LIMIT:
        raise LogError(f"{url} answers with more than {ANSWER_LIMIT} octets")
    return answer.content
