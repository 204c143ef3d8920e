"""Delivery services whose franks an authority believes: their public keys, from a file or from the service itself."""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urljoin

import httpx
import msgspec

from identity.authority.errors import HubError
from identity.errors import FrankingError
from identity.reports.franking import HubKey

ANSWER_LIMIT = 64 * 1024  # octets of a service's status


class _Status(msgspec.Struct, frozen=True):
    """What is wanted of the answer to GET /v1/status of a delivery service."""

    franking_key: bytes


def hub_keys(places: Iterable[str]) -> dict[bytes, HubKey]:
    """The keys by their ids, each from the URL of a service or from a file with the key in base64. Raises HubError."""
    keys = (_fetched(place) if place.startswith(("http://", "https://")) else _read(Path(place)) for place in places)
    return {key.key_id: key for key in keys}


def _fetched(url: str) -> HubKey:
    try:
        answer = httpx.get(urljoin(f"{url}/", "v1/status"), follow_redirects=False)
        answer.raise_for_status()
        if len(answer.content) > ANSWER_LIMIT:
            raise HubError(f"{url} answers with more than {ANSWER_LIMIT} octets")
        return HubKey.from_point(msgspec.json.decode(answer.content, type=_Status).franking_key)
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError, UnicodeDecodeError, FrankingError) as error:
        raise HubError(f"cannot fetch the franking key of {url}: {error}; start that service first") from error


def _read(file: Path) -> HubKey:
    try:
        return HubKey.from_point(msgspec.convert(file.read_text(encoding="ascii").strip(), bytes))
    except (OSError, UnicodeDecodeError, msgspec.ValidationError, FrankingError) as error:
        raise HubError(
            f"{file} holds no franking key ({error}); write it with: ringtrue delivery franking-key"
        ) from error
