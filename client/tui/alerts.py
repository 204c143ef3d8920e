"""What a person who looks elsewhere is told of: messages, requests and held-back messages, gathered between notices."""

from client.config import Preview
from client.desk.told import MessageArrived, Quarantined, RequestArrived, Told
from client.terminal.notifications import Arrival, Notice, notice
from identity.number import TelephoneNumber


class Alerts:
    """What has come and was not told of yet. Of requests and of what was held back only counts are ever told."""

    def __init__(self) -> None:
        self._arrivals: list[Arrival] = []
        self._asking: set[str] = set()  # handles; told of once, however much waits behind the request
        self._requests = 0
        self._held = 0

    def take(self, told: Told, in_view: str | None) -> bool:
        """Take in an event; whether it is one to tell of. `in_view`: the group that a person is looking at."""
        match told:
            case MessageArrived(message=message, alert=True) if message.sender and message.group != in_view:
                self._arrivals.append(Arrival(TelephoneNumber.from_digits(message.sender[1:]), message.text))
            case RequestArrived(request=request) if request.handle not in self._asking:
                self._asking.add(request.handle)
                self._requests += 1
            case Quarantined():
                self._held += 1
            case _:
                return False
        return True

    def told(self, level: Preview) -> Notice | None:
        """One notice of everything that was taken in; it is forgotten then."""
        parts = [notice(self._arrivals, level)] if self._arrivals else []
        parts += [Notice(words, words) for words in _counts(self._requests, self._held)]
        self._arrivals, self._requests, self._held = [], 0, 0
        if not parts:
            return None
        return Notice("; ".join(part.line for part in parts), "; ".join(part.discreet for part in parts))


def _counts(requests: int, held: int) -> list[str]:
    words = []
    if requests:
        words.append("1 new request" if requests == 1 else f"{requests} new requests")
    if held:
        words.append("1 message held back" if held == 1 else f"{held} messages held back")
    return words
