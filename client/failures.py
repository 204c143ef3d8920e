"""What went wrong, as a value: the same for the command line, its JSON lines and the daemon's answers."""

import mls_rs
import msgspec

from client.errors import ClientError
from identity.errors import IdentityError

Expected = ClientError | IdentityError | mls_rs.MlsError | OSError
EXPECTED = (ClientError, IdentityError, mls_rs.MlsError, OSError)
WRITTEN_WRONG = ("digits", "too-long", "unreadable", "impossible")  # a NumberError's codes: usage
USAGE = 2  # exit code
_INSIDE = {
    ": ringtrue chat list": " in the list of chats",
    "ringtrue chat reset CHAT": "/reset",
    "ringtrue begin-again CHAT": "/beginagain",
    "ringtrue transfers --cancel": "/transfers",
    "ringtrue transfers": "/transfers",
    "ringtrue alarms": "/alarms",
    "ringtrue devices add": "/devices",
    "ringtrue requests": "/requests",
    "ringtrue doctor": "/doctor",
}
SYSTEM_HINT = "The operating system refused. Check the path, its permissions and the free space on the disk."


class Failure(msgspec.Struct, frozen=True):
    """One failure. `code` is stable, `detail` says what happened, `hint` what to do; `exit` is the exit code."""

    code: str
    detail: str
    hint: str
    exit: int


def failure(error: Expected) -> Failure:
    """Put an error into words; `error` is one of EXPECTED."""
    match error:
        case ClientError():
            return Failure(error.code, str(error), error.hint, error.exit_code)
        case IdentityError():
            return Failure(error.code, str(error), "", USAGE if error.code in WRITTEN_WRONG else 1)
        case mls_rs.MlsError():
            return Failure(error.code, str(error), "The state of the account is as before. Run: ringtrue doctor", 1)
        case OSError():
            where = f": {error.filename!a}" if error.filename else ""
            return Failure("system", f"{error.strerror or error}{where}", SYSTEM_HINT, 1)


def hint_inside(hint: str) -> str:
    """A hint for somebody who sits in an interactive client, where other words are typed than in a shell."""
    for in_shell, inside in _INSIDE.items():
        hint = hint.replace(in_shell, inside)
    return hint
