"""A look at what must be right before messages can flow; each finding says what to do."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from client.enrolment import EnrolmentClient
from client.errors import ClientError
from client.home import Home
from client.session import Session

CLOCK_LIMIT = 30  # seconds by which two clocks may differ here; the checks on messages allow 60


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is right, and words for people."""

    subject: str
    right: bool
    words: str


def look_at_home(home: Home) -> Finding:
    """The account's folder and its files are private."""
    open_to_others = [path.name for path in (home.folder, *home.folder.iterdir()) if path.stat().st_mode & 0o077]
    if open_to_others:
        return Finding("files", False, f"others can read {', '.join(open_to_others)}; run: chmod -R go= {home.folder}")
    return Finding("files", True, f"{home.folder} is private")


async def look_at_account(session: Session) -> AsyncIterator[Finding]:
    """The certificate, both services, their clocks and the key packages."""
    account = session.account
    _, not_after = account.validity()
    left = not_after - int(time.time())
    words = f"{account.number}, valid for {left // 3600} h more" if left > 0 else "ended; run: ringtrue receive"
    yield Finding("certificate", left > 0, words)
    try:
        async with EnrolmentClient(account.authority) as authority:
            yield _clock("authority", account.authority, (await authority.status()).now)
    except ClientError as error:
        yield Finding("authority", False, f"{error}. {error.hint}")
    try:
        yield _clock("delivery", account.delivery, (await session.delivery.status()).now)
        stock = await session.delivery.key_package_stock()
        enough = stock.last_resort and stock.available > 0
        words = f"{stock.available} ready" if enough else "none ready, nobody can add you; run: ringtrue receive"
        yield Finding("key packages", enough, words)
    except ClientError as error:
        yield Finding("delivery", False, f"{error}. {error.hint}")


def _clock(subject: str, url: str, there: int) -> Finding:
    apart = there - int(time.time())
    if abs(apart) > CLOCK_LIMIT:
        return Finding(subject, False, f"{url}: its clock differs by {apart} s; set this machine's clock")
    return Finding(subject, True, f"{url} answers, clocks agree")
