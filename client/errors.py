"""Everything that `client` raises on purpose.

ClientError                       .code: stable short word   .hint: what to do   .exit_code: of the command line
├── ContentError             1    octets from a peer are not content of this profile
├── UnreachableError         6    a service did not answer                     .retryable: the call may be repeated
├── UnexpectedAnswerError    6    a service answered with something that its wire module does not know
├── ServiceError             1    a service refused (RFC 9457)                 .problem: as received
│   ├── StaleEpochError      1    the entry is not for the current epoch       .epoch, .head
│   ├── GoneError            5    the entries asked for are no longer kept     .floor
│   ├── NotAMemberError      1    this device is not a member of the group
│   ├── TooMuchStoredError   1    the number has as many files at the service as it may
│   ├── NotFoundError        5    no such group, number, challenge …
│   │   └── CodeEndedError   5    the one-time code can no longer be used
│   ├── ReportRefusedError   1    a report was verified, and proves nothing
│   ├── NumberWithdrawnError 8    so many reports count that the number gets no certificate for a while
│   ├── WrongCodeError       1    that is not the one-time code                .attempts_left
│   ├── CertificationRefusedError 3  a certification authority refused a request, an order or a token
│   ├── NoKeyPackageError    1    a device of the number has no key package left
│   ├── NoConsentError       1    a number has not agreed to be reached    .mode
│   ├── AlreadyAskedError    1    a number was asked before, and has not agreed
│   ├── CredentialRefusedError 8  the certificate chain, or a request signed with its key, was not accepted
│   │   └── RevokedHereError 8    the delivery service knows that this device's certificate was revoked
│   ├── SessionExpiredError  6    the session ended, and a new one did not help
│   └── RateLimitedError     7    too many requests, or the service is full    .retry_after: seconds
├── AskedFirstError          7    a person is asked first, and has not agreed yet
├── ContactsOnlyError        1    a number can be reached by its contacts only
├── ContactProofError        3    a contact request that the service passed on proves no number
├── EnrolmentError           3    the authority's answer does not prove the number
├── CertificateEndedError    8    this device's certificate has ended, and nothing can be signed
├── StatusListRefusedError   3    the authority's list of statuses is not what it must be
├── RevocationsRefusedError  3    the list of revocations, or an OCSP response, is not what it must be
├── CertificateRevokedError  8    this device's certificate was revoked
├── AccountError             8    this device is not ready for use
│   ├── NotEnrolledError     8    there is no account
│   ├── AccountExistsError   8    there is one already
│   ├── AccountBusyError     8    another process uses it
│   ├── WrongPassphraseError 8    the passphrase does not open it
│   └── PassphraseNeededError 8   it needs a passphrase, and none was given
├── StoreError               1    the local store is damaged or cannot be written
├── ChatError                5    no such chat, message or member
│   └── NoMessagesError      5    the certificate says that this device's number sends no messages
├── ConfigError              8    config.toml, or a choice of keys in it, is not understood
├── RetentionShorterError    1    the delivery service keeps messages for less time than before
├── FrankingKeyError         1    the delivery service shows another franking key than the one that is kept
├── RulesError               1    admission rules cannot be read, or hide what they must not
├── InviteError              1    a text is no number, no invitation and no short code
├── ImageError               1    octets are no picture that is shown here
├── NewKeyError              1    a known number is on a key that was not met
├── LinkError                1    a second device could not be linked
├── TrustError               1    a root, a pin or a policy cannot be taken
└── GroupRefusedError        1    a Welcome, a commit or an entry is refused by our rules

Exit codes: 1 other, 3 verification failed, 5 not found, 6 network, 7 timed out or asked to wait, 8 not set up.
Messages quote untrusted text only through `ascii()`, so they may be shown on a terminal.
"""

from typing import Protocol


class ClientError(Exception):
    """Something the person or the calling program can act on."""

    code: str = "failed"
    hint: str = ""
    exit_code: int = 1

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = self.code if code is None else code
        self.hint = self.hint if hint is None else hint


class ContentError(ClientError):
    """Octets from a peer are not content of this profile; `code` says what is wrong with them."""

    code = "malformed-content"
    hint = "The sender's program produced something that this one does not accept. Ask them to send it again."


class UnreachableError(ClientError):
    """A service did not answer. `retryable`: the request cannot have been carried out, or may be carried out twice."""

    code = "unreachable"
    hint = "Check the network and the service's address, then try again."
    exit_code = 6

    def __init__(self, message: str, *, retryable: bool, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retryable = retryable


class UnexpectedAnswerError(ClientError):
    """A service answered with something that its wire module does not know, or with more than it may."""

    code = "unexpected-answer"
    hint = "Check that the address is that of a Ringtrue service of this version."
    exit_code = 6


class Problem(Protocol):
    """The RFC 9457 members that both services' problems have."""

    @property
    def type(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def detail(self) -> str: ...


class ServiceError(ClientError):
    """A service refused a request; `code` is the last word of the problem's type."""

    hint = "Nothing was changed. The message says what the service did not accept."

    def __init__(self, problem: Problem) -> None:
        ours = problem.type.startswith("urn:ringtrue:")
        code = problem.type.rpartition(":")[2] if ours else f"http-{problem.status}"
        super().__init__(_printable(problem.detail or problem.title), code=_printable(code))
        self.problem = problem


class StaleEpochError(ServiceError):
    """The entry is not for the group's current epoch: read up to `head`, encrypt again, send again."""

    hint = "Read the group's new entries, then send again."

    def __init__(self, problem: Problem, *, epoch: int, head: int) -> None:
        super().__init__(problem)
        self.epoch = epoch
        self.head = head


class GoneError(ServiceError):
    """Entries before `floor` are no longer kept: this device cannot follow the group any more.

    `epoch`: given where the service was restored from a backup; who is in the same epoch can go on at the floor.
    """

    hint = "This device was away for too long. Ask a member to remove it from the chat and to add it again."
    exit_code = 5

    def __init__(self, problem: Problem, *, floor: int, epoch: int | None = None) -> None:
        super().__init__(problem)
        self.floor = floor
        self.epoch = epoch


class NotAMemberError(ServiceError):
    """This device is not a member of the group."""

    hint = "You were removed from this chat, or never were in it. Ask a member to add you."


class TooMuchStoredError(ServiceError):
    """The number has as many files at the service as it may."""

    hint = (
        "Send a smaller file, or wait: the service deletes each file after 30 days at the latest. "
        "What is still on its way counts too: ringtrue transfers"
    )


class NotFoundError(ServiceError):
    """The service knows no such group, number, challenge or certificate."""

    hint = "Check the number or the name. A person must have enrolled before others can write to them."
    exit_code = 5


class CodeEndedError(NotFoundError):
    """The one-time code can no longer be used: too old, tried too often, or used for another key."""

    hint = "Ask for a new code."


class WrongCodeError(ServiceError):
    """That is not the one-time code; the challenge stays open for `attempts_left` tries, None if that is not known."""

    hint = "Look at the last code that came, and type its digits again."

    def __init__(self, problem: Problem, *, attempts_left: int | None) -> None:
        super().__init__(problem)
        self.attempts_left = attempts_left


class CertificationRefusedError(ServiceError):
    """A certification authority refused a request, an order or an authority token (RFC 8555 §6.7)."""

    code = "certification-refused"
    hint = "Nothing was changed. Ask the authority's operator what the message means."
    exit_code = 3

    def __init__(self, problem: Problem, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(problem)
        self.code = code or type(self).code
        self.hint = hint or self.hint


class ReportRefusedError(ServiceError):
    """The authority verified a report, and it proves nothing; the message names the check that it failed."""

    hint = "Nothing was counted. Report only messages whose number is verified, and not long after they came."


class NumberWithdrawnError(ServiceError):
    """So many verified reports count against this number that it gets no certificate until the time given."""

    hint = "It ends by itself. To tell the operator, once, why it is wrong: ringtrue standing --appeal TEXT"
    exit_code = 8


class NoKeyPackageError(ServiceError):
    """A device of the number has no key package left."""

    hint = "The other person's program must come online once before you can add them. Try again later."


class NoConsentError(ServiceError):
    """A number has not agreed to be reached; `mode` says whether it can be asked (`ask`) or not (`contacts`)."""

    hint = "Ask them first: ringtrue ask NUMBER. Some numbers can be reached by their contacts only."

    def __init__(self, problem: Problem, *, mode: str) -> None:
        super().__init__(problem)
        self.mode = mode


class AlreadyAskedError(ServiceError):
    """A number was asked before and has not agreed; it may be asked again in some weeks."""

    hint = "Wait until they agree; this program tells you."


class CredentialRefusedError(ServiceError):
    """The certificate chain, or a request signed with its key, was not accepted."""

    hint = (
        "Check this machine's clock, and that the service's address is the one that its operator names. If both are "
        "right, the service may trust other authorities than yours: ask its operator. Otherwise renew the "
        "certificate, or enrol again."
    )
    exit_code = 8


class RevokedHereError(CredentialRefusedError):
    """The delivery service knows that this device's certificate was revoked: it serves it no more."""

    hint = (
        "Nothing can be sent or received by this device any more. If the number is still yours, begin anew in a new "
        "folder, where you get a new key: RINGTRUE_HOME=FOLDER ringtrue enroll NUMBER, or from another device of "
        "yours: ringtrue devices add. If you did not expect it, ask the authority's operator."
    )


class SessionExpiredError(ServiceError):
    """The session has ended, and opening another one did not help."""

    hint = "Try again. If it persists, the service does not keep its own sessions."
    exit_code = 6


class RateLimitedError(ServiceError):
    """Too many requests, or the service is at its limit; wait `retry_after` seconds."""

    hint = "Wait for the time given, then try again."
    exit_code = 7

    def __init__(self, problem: Problem, *, retry_after: int) -> None:
        super().__init__(problem)
        self.retry_after = retry_after
        self.hint = f"Wait {retry_after} seconds, then try again."


class AskedFirstError(ClientError):
    """A person lets others ask first, and has not agreed yet: nothing can be sent to them before."""

    code = "asked-first"
    hint = "This program tells you when they agree. See whom you have asked: ringtrue asked"
    exit_code = 7


class ContactsOnlyError(ClientError):
    """A number can be reached by its contacts only, and this account is not among them."""

    code = "contacts-only"
    hint = "Ask them in another way to add your number to their contacts, or to write to you first."


class ContactProofError(ClientError):
    """A contact request that the service passed on does not prove who asks, and is not shown."""

    code = "contact-request"
    hint = "Nothing is to be done: the request was dropped. If it happens often, the service is not to be relied on."
    exit_code = 3


class EnrolmentError(ClientError):
    """The authority's answer does not prove what was asked for: its chain, number or key is wrong."""

    code = "not-proved"
    hint = "Do not use this authority until its operator has explained the message. Nothing was stored."
    exit_code = 3


class CertificateEndedError(ClientError):
    """This device's certificate has ended: nothing can be signed with it."""

    code = "certificate-ended"
    hint = "It is renewed when the authority can be reached: run ringtrue receive. If that is refused, enrol again."
    exit_code = 8


class StatusListRefusedError(ClientError):
    """The authority's list of statuses is not signed as it must be, has ended, or is older than one seen before."""

    code = "status-list"
    hint = "The last good list stays in use until it ends. Check this machine's clock; then ask the operator."
    exit_code = 3


class RevocationsRefusedError(ClientError):
    """The authority's list of revocations or its OCSP response is not signed as it must be, is over, or is older."""

    code = "revocations"
    hint = "The last list that was verified stays in use. Ask the authority's operator if it goes on."
    exit_code = 3


class CertificateRevokedError(ClientError):
    """This device's certificate was revoked: what it signs counts for nobody."""

    code = "certificate-revoked"
    hint = (
        "If the number is still yours, begin anew in a new folder, where you get a new key: "
        "RINGTRUE_HOME=FOLDER ringtrue enroll NUMBER, or from another device of yours: ringtrue devices add"
    )
    exit_code = 8


class AccountError(ClientError):
    """This device is not ready for use."""

    code = "account"
    exit_code = 8


class NotEnrolledError(AccountError):
    """There is no account in this folder."""

    code = "not-enrolled"
    hint = "Enrol first: ringtrue enroll +NUMBER --authority URL --delivery URL"


class AccountExistsError(AccountError):
    """There is an account in this folder already."""

    code = "account-exists"
    hint = "Use another folder (RINGTRUE_HOME) for another number, or to begin anew with the same one."


class AccountBusyError(AccountError):
    """Another process is using this account."""

    code = "account-busy"
    hint = (
        "End that process, or wait for it. With `ringtrue daemon` running, any number of programs can be used at once."
    )


class WrongPassphraseError(AccountError):
    """The passphrase does not open the store."""

    code = "wrong-passphrase"
    hint = "Try the passphrase again."


class PassphraseNeededError(AccountError):
    """The store needs a passphrase, and none was given."""

    code = "passphrase-needed"
    hint = "Give the passphrase when asked, or through --passphrase-file."


class StoreError(ClientError):
    """The local store is damaged, or cannot be written."""

    code = "store"
    hint = "Check the disk and the folder's permissions; run: ringtrue doctor"


class ChatError(ClientError):
    """There is no such chat, message or member."""

    code = "unknown-chat"
    hint = "See what there is: ringtrue chat list"
    exit_code = 5


class NoMessagesError(ChatError):
    """The certificate says that this device's number sends no messages: nobody would take what it writes."""

    code = "no-messages"
    hint = "You can read. If the number is to send messages, ask the operator of your authority, who has marked it."


class ConfigError(ClientError):
    """The file of settings cannot be read or written, or holds something that is not understood."""

    code = "config"
    hint = "Correct the file, or move it away: every setting has a default."
    exit_code = 8


class RetentionShorterError(ClientError):
    """The delivery service keeps messages for less time than it said before."""

    code = "retention"
    hint = "Use each device at least that often, or what it has not read by then is lost to it."


class FrankingKeyError(ClientError):
    """The delivery service shows another franking key than the one that this account has from it."""

    code = "franking-key-changed"
    hint = "See which: ringtrue franking list"


class RulesError(ClientError):
    """Admission rules cannot be read."""

    code = "rules"
    hint = "See the comments at the top of `ringtrue rules show --default`."


class InviteError(ClientError):
    """A text is no telephone number, no ringtrue: address and no short code."""

    code = "not-an-invitation"
    hint = "Write the number with + and country code, such as +1 202-555-0142, or copy the code again."


class ImageError(ClientError):
    """Octets are not a picture, or not one that is shown here."""

    code = "image"
    hint = "Save the file and open it with another program, if you expect it from the sender."


class NewKeyError(ClientError):
    """A number that this account knows is to be talked to on a key that it has not met; `called` names the number."""

    code = "new-key"
    hint = "Ask them by another way whether they have a new telephone; then do it again with new keys allowed."

    def __init__(self, called: str) -> None:
        super().__init__(
            f"{called} is now on a key that you have not met: a new telephone, or a new holder of the number"
        )


class LinkError(ClientError):
    """A second device could not be linked; `code` says how far it came, and nothing is left half-done."""

    code = "not-linked"
    hint = "Begin again on the device that has the number: ringtrue devices add"


class TrustError(ClientError):
    """A root, a pin or a policy cannot be taken, or is not there; `code` says why."""

    code = "trust"
    hint = "See what there is: ringtrue trust list"


class GroupRefusedError(ClientError):
    """A Welcome, a commit or an entry is refused by our rules."""

    code = "group-refused"
    hint = "Nothing was changed. The message says which rule refused it."


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else ascii(text)
