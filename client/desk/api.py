"""What may be asked of an account, by a screen in the same process or by any program through the daemon's socket.

Every call is async and raises ClientError and IdentityError. `group` and `row` are as in client.desk.views. The same
signatures make the in-process desk (client.desk.Desk), the daemon's protocol and its schema.
"""

from collections.abc import AsyncGenerator
from typing import Protocol

from client.desk.device_views import DeletedView, LinkView, OwnDeviceView
from client.desk.people_views import AlarmView, AskView, ContactView, KeyView, ModeView, RequestView, WatchedLogView
from client.desk.report_views import ReportView, StandingView, StatusListView, StatusOfView
from client.desk.rule_views import CountView, RulesView, TrialView
from client.desk.told import Told
from client.desk.transfer_views import TransferView
from client.desk.trust_views import AnchorView, CodeParentsWord, FootingView, GroupAnchorsView, TrustView
from client.desk.views import (
    AccountView,
    AgreementView,
    ChatView,
    CheckNumberView,
    FindingView,
    FrankingKeyView,
    InspectionView,
    MemberView,
    MessageView,
    Rendering,
    StatusView,
)


class Chats(Protocol):
    """Chats: the list, and what concerns one of them."""

    async def all(self, archived: bool = False) -> list[ChatView]:
        """The chats of the inbox, pinned ones first, then by last message; or those that were archived."""

    async def get(self, group: str) -> ChatView:
        """One chat."""

    async def find(self, name: str) -> ChatView:
        """The chat that a person means by a name, a number or the beginning of a group id."""

    async def direct(self, number: str, new_keys: bool = False) -> ChatView:
        """The chat with one person; it is created if there is none. `number`: as in a spelling, URI or short code.

        Refused as `new-key` if the number is known here and on a key that was not met. With `new_keys`, a chat that
        has to be created is with the new keys alone.
        """

    async def create(self, name: str, numbers: list[str], roles: bool = True, new_keys: bool = False) -> ChatView:
        """Create a group; with `roles` its creator is its admin, and only admins change who is in it.

        `new_keys` as for `direct`.
        """

    async def rename(self, group: str, name: str) -> ChatView:
        """Name a chat; for everybody in it, unless it has roles and this account is no admin."""

    async def read(self, group: str, row: int) -> None:
        """Note that a person has seen everything up to this row."""

    async def draft(self, group: str, text: str) -> None:
        """Keep what was typed and not sent."""

    async def timer(self, group: str, seconds: int) -> ChatView:
        """Let messages sent from now on disappear so many seconds after they were read; 0 ends that."""

    async def mute(self, group: str, seconds: int | None) -> ChatView:
        """No alerts for so many seconds, for ever if None, from now on again if 0."""

    async def pin(self, group: str, pinned: bool) -> ChatView:
        """Keep a chat on top of the list."""

    async def archive(self, group: str, archived: bool) -> ChatView:
        """Put a chat away; a new message does not bring it back."""

    async def members(self, group: str) -> list[MemberView]:
        """Each device in a chat, and what its certificate shows now."""

    async def check_number(self, group: str) -> CheckNumberView:
        """Thirty digits to compare with another member, by voice or in person."""

    async def agreement(self, group: str) -> list[AgreementView]:
        """What each other device last said about the chat's log: who agrees with this device, and up to where."""

    async def begin_again(self, group: str) -> ChatView:
        """Create a new chat with the same people, in which the first notice names this one."""

    async def add_again(self, group: str, number: str) -> ChatView:
        """Remove every device of a number and add it anew, for somebody whose invitation was not delivered."""

    async def invite(self, group: str, numbers: list[str], new_keys: bool = False) -> ChatView:
        """Add people. `new_keys` as for `direct`."""

    async def remove(self, group: str, number: str) -> ChatView:
        """Remove every device of a number."""

    async def remove_device(self, group: str, number: str, key: str) -> ChatView:
        """Remove one device of a number, by its key as a member's view names it."""

    async def admin(self, group: str, number: str, admin: bool) -> ChatView:
        """Make a member an admin, or an admin a member."""

    async def want_proof(self, group: str, wanted: bool) -> ChatView:
        """Hold back what comes into a chat without a proof, from now on, or show it with its mark."""

    async def leave(self, group: str) -> ChatView:
        """Leave; another member's client completes it."""

    async def reset(self, group: str) -> ChatView:
        """Begin a chat anew with the same people, roles and name, for everybody: the old one ends and names the new."""

    async def delete(self, group: str) -> ChatView:
        """Have a chat deleted at the service, after a notice to those who are in it; devices keep what they have."""

    async def export(self, group: str, form: Rendering) -> str:
        """The whole conversation; as JSON with the proof of each message."""


class Messages(Protocol):
    """Messages: reading, writing and what is done to one of them."""

    async def page(self, group: str, before: int | None = None, limit: int = 60) -> list[MessageView]:
        """The last rows of a chat, oldest first; those before a row, to page back."""

    async def after(self, group: str, row: int, limit: int = 60) -> list[MessageView]:
        """The rows after a row, oldest first, to page forward."""

    async def get(self, row: int) -> MessageView:
        """One row as it is now."""

    async def find(self, message_id: str) -> MessageView:
        """One message by its id or an unambiguous beginning of it."""

    async def unshown(self, limit: int = 1000) -> list[MessageView]:
        """The oldest rows that `ringtrue receive` has not put out yet; those that are held back, without words."""

    async def shown(self, row: int) -> None:
        """Note that what `unshown` gave was put out, up to this row."""

    async def first_unread(self, group: str) -> int | None:
        """The oldest row that nobody has seen yet."""

    async def send(self, group: str, text: str, reply_to: int | None = None) -> MessageView:
        """Send a text; returns at once with the state so far, and changes are told as events."""

    async def send_file(self, group: str, path: str, caption: str = "") -> MessageView:
        """Encrypt a file, store it at the service and offer it to the chat.

        Give an absolute `path`: a daemon has a working folder of its own. Returns once the file is stored; what is
        interrupted goes on by itself, in a later session too.
        """

    async def transfers(self) -> list[TransferView]:
        """The files that are being sent and are not offered yet, oldest first."""

    async def cancel_transfer(self, transfer: int) -> list[TransferView]:
        """Send a file no more; nothing of it is left here or at the service. Returns the others."""

    async def edit(self, row: int, text: str) -> MessageView:
        """Say something else in the place of an own message."""

    async def delete(self, row: int) -> MessageView:
        """Take an own message back, for everybody."""

    async def react(self, row: int, emoji: str) -> MessageView:
        """React with one emoji; the same one again takes it back."""

    async def retry(self, row: int) -> MessageView:
        """Send a message again that failed."""

    async def fetch(self, row: int) -> bytes:
        """Fetch and decrypt an attachment, without saving it."""

    async def save(self, row: int, folder: str) -> str:
        """Fetch, decrypt and save an attachment under a harmless name in a folder (absolute); returns the path."""

    async def search(self, words: str, group: str | None = None, limit: int = 100) -> list[MessageView]:
        """The newest messages of the inbox that contain this text, in one chat or in all."""

    async def inspect(self, row: int) -> InspectionView:
        """What was checked about a message, and what each check compared."""

    async def proof(self, row: int) -> str:
        """The message with its proof, as JSON for `ringtrue verify`."""

    async def report_preview(
        self, rows: list[int], kind: str = "spam", note: str = "", by_frank: bool = False
    ) -> ReportView:
        """Exactly what a report of these messages would disclose, and whether it proves something; nothing is sent.

        `by_frank`: with what the delivery service confirms in the place of the proofs.
        """

    async def report(
        self, rows: list[int], kind: str = "spam", note: str = "", by_frank: bool = False, shown: str = ""
    ) -> ReportView:
        """Report messages of one number to the authority; `kind`: spam, scam, abuse or other.

        `shown`: the preview's `sha256`; what has changed since then, by an edit, is refused and not sent.
        """

    async def report_file(self, rows: list[int], kind: str = "spam", note: str = "", by_frank: bool = False) -> str:
        """The same evidence for a third party, as JSON for `ringtrue verify`; nothing is sent."""

    async def quarantine(self) -> list[MessageView]:
        """What was held back, newest first, without its words."""

    async def reveal(self, row: int) -> MessageView:
        """One held-back message with its words, because a person asked to see it."""


class People(Protocol):
    """People: requests, contacts and blocked numbers."""

    async def requests(self) -> list[RequestView]:
        """Who wants to talk, newest first."""

    async def held(self) -> list[RequestView]:
        """Chats that a rule held back, newest first; they are told of nowhere, and accepted or declined as requests."""

    async def accept(self, group: str) -> ChatView:
        """Talk: the chat and its messages move to the inbox, and whoever asked becomes a contact."""

    async def decline(self, group: str) -> None:
        """Leave the chat and forget what was said in it."""

    async def block(self, number: str) -> ContactView:
        """Decline this number's requests, hide what it writes elsewhere, and count both."""

    async def unblock(self, number: str) -> ContactView:
        """Treat the number as a stranger again."""

    async def reportable(self, group: str) -> list[int]:
        """The newest messages of a request, or of a chat that is held back, by which their sender can be reported."""

    async def status(self, number: str) -> StatusOfView:
        """What the authority's last list says of a number; nobody is asked."""

    async def contacts(self) -> list[ContactView]:
        """Everybody who was accepted, named or blocked."""

    async def name(self, number: str, name: str) -> ContactView:
        """Call a number by a name of one's own; an empty one forgets it. Nobody else learns of it."""

    async def know(self, number: str) -> ContactView:
        """Make a number a contact, so that its requests are accepted at once, but for those on a key not met."""

    async def mode(self, mode: str | None = None) -> ModeView:
        """How this number may be reached: open, ask or contacts; with `mode`, choose it."""

    async def ask(self, number: str) -> AskView:
        """Ask a number to let this one reach it; nothing but the number is sent."""

    async def asked(self) -> list[AskView]:
        """Whom this account has asked, the last one first."""

    async def grant(self, number: str) -> ContactView:
        """Let a number that asked to reach this account do so; it becomes a contact."""

    async def refuse(self, number: str) -> None:
        """Answer a number that asked to reach this account with no; it is not told."""

    async def keys(self, number: str) -> list[KeyView]:
        """The keys of a number that were seen in chats, and which of them were met."""

    async def meet(self, number: str, key: str) -> list[KeyView]:
        """Say that a key is of the same person as the number's others: its name and its chat go with it from now on."""


class Admission(Protocol):
    """The rules that say where chats and messages of others go. `toml`: a list of rules, as in `rules().toml`."""

    async def rules(self) -> RulesView:
        """The rules in force, and what each has hidden."""

    async def test(self, toml: str) -> TrialView:
        """What these rules would have put elsewhere, of everything that has come so far; nothing is changed."""

    async def use(self, toml: str) -> RulesView:
        """Decide with these rules about what comes from now on; what has come stays where it is."""

    async def reset(self) -> RulesView:
        """Decide with the rules that this program comes with."""

    async def counts(self) -> list[CountView]:
        """What was hidden so far, by rule, most first."""


class Device(Protocol):
    """This device: the account, its services and their state."""

    async def account(self) -> AccountView:
        """The account."""

    async def status(self) -> StatusView:
        """How it stands."""

    async def sync(self) -> StatusView:
        """Read and post whatever there is, now."""

    async def franking_keys(self) -> list[FrankingKeyView]:
        """The delivery service's keys that are used here, and the one that it shows now."""

    async def use_franking_key(self, key: str) -> list[FrankingKeyView]:
        """Use the key of this name from now on, which must be the one that the service shows."""

    async def alarms(self, everything: bool = False) -> list[AlarmView]:
        """Signs that the number or this device's key is used elsewhere; with `everything` also those put away."""

    async def logs(self) -> list[WatchedLogView]:
        """The logs of certificates that are watched for this number."""

    async def watch(self) -> list[AlarmView]:
        """Ask both services now whether the number or this device's key is used elsewhere; the alarms that wait."""

    async def acknowledge(self, alarm: int, mine: bool = False) -> list[AlarmView]:
        """Put an alarm away; with `mine` the certificate that it is about is another device of the same person."""

    async def statuses(self, refresh: bool = False) -> StatusListView:
        """The list of numbers with a status; with `refresh` it is fetched now."""

    async def standing(self, appeal: str = "") -> StandingView:
        """What counts against one's own number at its authority; with a text, an appeal against it, once."""

    async def delete_service_data(self, number: bool = False) -> DeletedView:
        """Delete what the delivery service keeps for this device; with `number` also how the number may be reached."""

    async def doctor(self) -> list[FindingView]:
        """Look at the account, its files, both services and the clock."""


class Trust(Protocol):
    """Whom this account believes: roots, pins below them, and a policy. A change takes effect at once, everywhere."""

    async def show(self) -> TrustView:
        """Everything that is trusted, and how."""

    async def examine(self, pem: str) -> list[AnchorView]:
        """Look at the roots of a PEM text before they are imported; refused if one of them may not be one."""

    async def add(self, pem: str, fingerprints: list[str]) -> TrustView:
        """Import the roots of a PEM text that a person has agreed to, by their fingerprints."""

    async def footing(self, fingerprint: str) -> FootingView:
        """Which chats and people stand on a root alone; `fingerprint`: its beginning."""

    async def remove(self, fingerprint: str, last: bool = False) -> TrustView:
        """Believe a root no more; the last one only if that is said."""

    async def pin(self, pem: str = "") -> TrustView:
        """Let only this issuer, and those pinned before, count below its root.

        `pem`: the issuer's certificate, then those between it and the root; without it, one's own issuer.
        """

    async def unpin(self, issuer: str) -> TrustView:
        """Take back an issuer's pins; `issuer`: the beginning of the SHA-256 of its key."""

    async def policy(
        self,
        non_ecdsa_issuers: bool | None = None,
        code_parents: CodeParentsWord | None = None,
        code_leaves: bool | None = None,
        unknown_policies: bool | None = None,
        scts: int | None = None,
        uri_identities: bool | None = None,
    ) -> TrustView:
        """Set the switches that are given (docs/binding.md §2.3)."""

    async def code(self, code: str, prefixes: list[str]) -> TrustView:
        """Enter the numbers of a service provider code into the person's directory; no prefixes strike it out."""

    async def log(self, name: str, pem: str = "") -> TrustView:
        """Know a log that may vouch for certificates, by its public key in PEM; without one, forget it."""

    async def group(self, group: str) -> GroupAnchorsView:
        """The set of trust anchors that a chat names."""


class Devices(Protocol):
    """The devices of this account's number. `key`: the beginning of one's key, as its view names it."""

    async def all(self, ask: bool = False) -> list[OwnDeviceView]:
        """This device, then the others; with `ask`, also what the authority has certified and nobody has met."""

    async def remove(self, key: str, lost: bool = False) -> list[OwnDeviceView]:
        """Take a device out of every chat and have its certificates revoked.

        `lost`: its key may be in other hands. What it has signed shows nothing any more then, old messages included.
        """

    async def link(self) -> LinkView:
        """Begin to link a second device: its view has the code for it. Refused while one is being linked."""

    async def linking(self, seen: int | None = None) -> LinkView:
        """The device that is being linked, or was last; waits a while for a step after the one that was `seen`."""

    async def agree(self, agreed: bool) -> LinkView:
        """Answer, once both devices show the same digits: let it have the number, or not."""

    async def cancel(self) -> LinkView:
        """Go no further; what was granted is taken back, unless the device is in chats already."""


class Api(Protocol):
    """One open account."""

    @property
    def chats(self) -> Chats: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def people(self) -> People: ...
    @property
    def admission(self) -> Admission: ...
    @property
    def device(self) -> Device: ...
    @property
    def trust(self) -> Trust: ...
    @property
    def devices(self) -> Devices: ...

    def events(self) -> AsyncGenerator[Told]:
        """What happens from now on; close it with `contextlib.aclosing`."""
