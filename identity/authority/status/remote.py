"""The lists of revocations of certification authorities elsewhere: what a token authority alone needs of them."""

from collections.abc import Sequence
from threading import Lock
from urllib.parse import urljoin

from identity.authority.errors import RefusedError
from identity.authority.remote_roots import RETRY_AFTER, fetch_limited
from identity.certificates import VerifiedChain
from identity.errors import RevocationError
from identity.status.revocation import CRL_SIZE_LIMIT, Revocations, StatusState, issuer_name, verify_crl

REFRESH = 900  # seconds that a list counts before it is fetched anew
PATH = "v1/crl"


class ListsAt:
    """Lists below some base URLs, fetched when they are first needed.

    What was fetched goes on counting while the other service cannot be reached. Without any URL nothing is known.
    """

    def __init__(self, base_urls: Sequence[str]) -> None:
        self._urls = tuple(urljoin(f"{base_url.rstrip('/')}/", PATH) for base_url in base_urls)
        self._lock = Lock()
        self._lists = Revocations()
        self._asked_at: dict[bytes, int] = {}

    def refuse_revoked(self, chain: VerifiedChain, now: int) -> None:
        """Raise RefusedError for a chain that was revoked, or if the list of its issuer could never be had."""
        if not self._urls or len(chain.certificates) < 2:
            return
        with self._lock:
            name = issuer_name(chain.certificates[1])
            if not 0 <= now - self._asked_at.get(name, -REFRESH) < REFRESH:
                self._fetch(chain.certificates[1], now)
                self._asked_at[name] = now
            if self._lists.of_issuer(name) is None:
                detail = "the list of revocations of the certificate's issuer cannot be had now; try again in a while"
                self._asked_at[name] = min(self._asked_at[name], now - REFRESH + RETRY_AFTER)
                raise RefusedError("authority-unreachable", detail, retry_after=RETRY_AFTER)
            if self._lists.status(chain, now).state is StatusState.REVOKED:
                raise RefusedError("chain-refused", "the certificate was revoked; prove the number by a new code")

    def _fetch(self, issuer: bytes, now: int) -> None:
        """Adopt what any of the places has by this issuer; lists of others are left to their own certificates."""
        for url in self._urls:
            try:
                self._lists = self._lists.adopting(verify_crl(fetch_limited(url, CRL_SIZE_LIMIT), issuer, now))
            except (OSError, RevocationError):
                continue


NO_LISTS = ListsAt(())
