"""Everything that the authority raises.

AuthorityError
├── RefusedError         a request is answered with a problem     .word: a key of wire.PROBLEMS
├── CodeNotSentError     a code sender could not hand over a code
├── DataFolderError      the data folder cannot be used; the message says what to do
├── CarrierError         a carrier's certificate cannot be used; the message says what to do
├── RootsError           the roots of another authority cannot be had; the message says what to do
├── LogError             a log of certificates cannot be had, or does not promise what it is to promise
└── HubError             the franking key of a delivery service cannot be had; the message says what to do
"""

from pathlib import Path

from identity.authority.wire import PROBLEMS


class AuthorityError(Exception):
    """The authority does not do what was asked."""


class RefusedError(AuthorityError):
    """A request is answered with the problem `word`; `extensions` are members of wire.Problem."""

    def __init__(self, word: str, detail: str, **extensions: int | str) -> None:
        super().__init__(detail)
        self.word = word
        self.detail = detail
        self.status, self.title = PROBLEMS[word]
        self.extensions = extensions


class CodeNotSentError(AuthorityError):
    """A code could not be handed over for delivery."""


class DataFolderError(AuthorityError):
    """The folder with keys and database is not as the authority left it, or not private."""


class HubError(AuthorityError):
    """The franking key of a delivery service cannot be had from where it should be."""


class CarrierError(AuthorityError):
    """A file holds no certificate of a carrier."""


class RootsError(AuthorityError):
    """The roots of another authority cannot be had from where they should be."""


class LogError(AuthorityError):
    """A log of certificates cannot be had, or its answer is not what it should be."""


def half_there(folder: Path, present: str, absent: str, anew: str) -> DataFolderError:
    """The error of a folder in which one of two things that belong together is missing."""
    advice = f"restore it from a backup, or move the folder away to {anew}"
    return DataFolderError(f"{folder} has {present} but no {absent}; {advice}")
