"""Whether the services answer."""

from client.errors import UnreachableError


class Connection:
    """Whether the services answer, and since when they do not; `trouble` is the last thing that went wrong."""

    def __init__(self) -> None:
        self.online = False
        self.since: int | None = None
        self.trouble = ""

    def answered(self) -> bool:
        """Note an answer; whether that is news."""
        news, self.online, self.since, self.trouble = not self.online, True, None, ""
        return news

    def failed(self, error: Exception, now: int) -> bool:
        """Note a failure; whether that is news."""
        offline = is_offline(error)
        news = (offline and self.online) or str(error) != self.trouble
        if offline:
            self.since = now if self.online or self.since is None else self.since
            self.online = False
        self.trouble = str(error)
        return news


def is_offline(error: Exception) -> bool:
    """Whether an error says no more than that a service cannot be reached now."""
    return isinstance(error, UnreachableError)
