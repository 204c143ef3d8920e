"""Who may talk to the server: whoever opened the printed address, from the page that it led to, and nobody else.

A server on loopback is reached by every page that a browser of this machine shows, and by every user of the machine.
Host names the server exactly, against names that an attacker's DNS leads here. Origin does, against sockets that pages
of others open. SameSite does not tell ports apart, so Sec-Fetch-Site is looked at too; and a cookie goes to every port
of its host, so it is bound to a path that only this page knows.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

COOKIE = "ringtrue"
SECRET = 16  # octets
OPENED_BEFORE = (
    "This address was used before, or is not of this run. Stop the server, start it again, open what it says."
)
OPEN_PRINTED = "Open the address that the server has printed, in the browser that is to show the client."
WRONG_HOST = "This server does not go by that name. Open the address that the server has printed."
WRONG_ORIGIN = "Other pages may not use this server."
_OWN = frozenset({"same-origin", "none"})  # of Sec-Fetch-Site: this page, or the person


def _secret() -> str:
    return secrets.token_urlsafe(SECRET)


@dataclass(slots=True)
class Access:
    """The secrets of one run. `authority`: host and port as browsers write them in Host (RFC 9110 §7.2)."""

    authority: str
    folder: str = field(default_factory=lambda: f"/{_secret()}")
    _token: str | None = field(default_factory=_secret, repr=False)
    _session: str = field(default_factory=_secret, repr=False)

    @property
    def origin(self) -> str:
        """The page's origin (RFC 6454)."""
        return f"http://{self.authority}"

    @property
    def page(self) -> str:
        """The path of the page."""
        return f"{self.folder}/"

    @property
    def address(self) -> str:
        """What a person opens, once."""
        assert self._token is not None, "the token is unused"
        return f"{self.origin}/enter/{self._token}"

    def redeem(self, token: str) -> str | None:
        """The session in exchange for the token; None if it is wrong, or was exchanged before."""
        if self._token is None or not _same(token, self._token):
            return None
        self._token = None
        return self._session

    def refusal(self, headers: Mapping[str, str], *, opens_socket: bool = False) -> str | None:
        """Why a request to this server by that name and from that page is refused; None if it is not."""
        if headers.get("Host") != self.authority:
            return WRONG_HOST
        if headers.get("Origin", None if opens_socket else self.origin) != self.origin:
            return WRONG_ORIGIN
        return None

    def stranger(self, headers: Mapping[str, str], session: str | None) -> str | None:
        """Why whoever asks is not the browser that was let in; None if it is."""
        if headers.get("Sec-Fetch-Site", "none") not in _OWN:
            return WRONG_ORIGIN
        return None if session is not None and _same(session, self._session) else OPEN_PRINTED


def protections(authority: str) -> dict[str, str]:
    """The headers of every answer. xterm.js writes style elements, hence 'unsafe-inline' for styles alone."""
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self'",
        f"connect-src ws://{authority}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), clipboard-read=(), geolocation=(), microphone=()",
    }


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
