"""What a client compares to catch a delivery service at a lie: what it is handed, and what other members say."""

from collections.abc import Callable

from client import exchange
from client.defence.lies import Lie, Looked
from client.defence.log_record import Comparison, LogRecord
from client.defence.lookout import Lookout
from client.defence.statuses import KnownList, Statuses
from client.defence.words_about_log import Word
from delivery_service.wire import EntryBatch
from lab.attacks.outcome import Guard, Keeper
from lab.seams.seam import Place, Seam, exchanging, instead


def witness(lie: Lie) -> Guard:
    """The guard that is a client's comparison, by the code of what it notices."""
    return Guard(Keeper.WITNESS, lie)


def _never_overdue(*_: object) -> bool:
    return False


def _nothing_missing(*_: object) -> tuple[list[object], bool]:
    return [], True


def _no_words(*_: object) -> list[object]:
    return []


def _unknown(*_: object) -> Comparison:
    return Comparison.UNKNOWN


def _knowing_no_list(adopt: Callable[[Statuses, bytes, int], KnownList]) -> Callable[[Statuses, bytes, int], KnownList]:
    """Take every list as the first one."""

    def adopted(statuses: Statuses, octets: bytes, now: int) -> KnownList:
        statuses._list = None
        return adopt(statuses, octets, now)

    return adopted


def _as_handed_out(batch: EntryBatch, after: int) -> Looked:
    return Looked(batch.entries, [])


def words_of_others(lie: Lie) -> Seam:
    """Members' words about the log, which tell of a missing end and of another history."""
    return exchanging(witness(lie), instead(LogRecord, "compare", _unknown))


NUMBERS = exchanging(witness(Lie.WITHHELD), instead(Lookout, "gap", _nothing_missing))
ORDER = exchanging(witness(Lie.REORDERED), instead(exchange, "look", _as_handed_out))
TIMES = exchanging(witness(Lie.HELD_BACK), instead(Lookout, "timed", _no_words))
UNHEARD = exchanging(Guard(Keeper.WITNESS, "unheard"), instead(Word, "is_overdue", _never_overdue))
STATUS_SERIAL = exchanging(Guard(Keeper.WITNESS, "rollback"), Place(Statuses, "adopt", _knowing_no_list))
