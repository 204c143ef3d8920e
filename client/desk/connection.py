"""Whether the services answer."""

from client.errors import ClientError, RevokedHereError, UnreachableError


class Connection:
    """Whether the services answer, and since when they do not; `trouble` is the last thing that went wrong.

    `hint`: what to do about it. `refused`: the delivery service knows that this device's certificate was revoked.
    """

    def __init__(self) -> None:
        self.online = False
        self.since: int | None = None
        self.trouble = self.hint = ""
        self.refused = False

    def answered(self) -> bool:
        """Note an answer; whether that is news."""
        news, self.online, self.since, self.trouble = not self.online, True, None, ""
        self.hint, self.refused = "", False
        return news

    def failed(self, error: Exception, now: int) -> bool:
        """Note a failure; whether that is news."""
        offline = is_offline(error)
        news = (offline and self.online) or str(error) != self.trouble
        if offline:
            self.since = now if self.online or self.since is None else self.since
            self.online = False
        self.trouble = str(error)
        self.hint = error.hint if isinstance(error, ClientError) else ""
        self.refused = self.refused or isinstance(error, RevokedHereError)
        return news


def is_offline(error: Exception) -> bool:
    """Whether an error says no more than that a service cannot be reached now."""
    return isinstance(error, UnreachableError)
