"""The compiled module: Messaging Layer Security (RFC 9420) by mls-rs, bytes in and bytes out.

Times are whole seconds since the Unix epoch. Every call releases the GIL before it takes its object's lock.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, final

__all__ = [
    "MLS_RS_VERSION",
    "AlreadyReadError",
    "Application",
    "Approval",
    "Commit",
    "CommitRequiredError",
    "Credential",
    "CredentialRefusedError",
    "Delta",
    "Engine",
    "EngineError",
    "Group",
    "Inspected",
    "InvalidConfirmationError",
    "InvalidProposalError",
    "InvalidSignatureError",
    "KeyPackage",
    "KeyPackageNotFoundError",
    "MalformedError",
    "Member",
    "MissingPskError",
    "MissingTreeError",
    "MlsError",
    "NotAMemberError",
    "Observer",
    "OwnMessageError",
    "Pending",
    "PoisonedError",
    "Preview",
    "Proposal",
    "Proposed",
    "ReentrantCallError",
    "StalePendingError",
    "Succeed",
    "SuccessorRefusedError",
    "TooFarAheadError",
    "UnsupportedError",
    "Validate",
    "ValidateExternal",
    "WrongEpochError",
    "WrongGroupError",
    "__version__",
    "decode_external_senders",
    "encode_external_senders",
    "generate_signature_key",
    "import_key_package",
    "inspect",
    "tree_members",
]

__version__: str
MLS_RS_VERSION: str

# ---- signature keys ------------------------------------------------------------------------------------------

def generate_signature_key(cipher_suite: int) -> tuple[bytearray, bytes]:
    """A fresh (private, public) signature key pair.

    P-256: 32-byte scalar, 65-byte uncompressed point. P-384: 48 and 97 bytes. Ed25519: 32-byte seed, 32 bytes.
    """

# ---- values --------------------------------------------------------------------------------------------------

@final
class Credential:
    """A credential (RFC 9420 §5.3): an X.509 chain of DER certificates, leaf first, or a basic identifier."""

    @staticmethod
    def x509(chain: Sequence[bytes]) -> Credential: ...
    @staticmethod
    def basic(identifier: bytes) -> Credential: ...
    @property
    def kind(self) -> Literal["x509", "basic"]: ...
    @property
    def chain(self) -> tuple[bytes, ...]:
        """DER certificates, leaf first; empty for a basic credential."""
    @property
    def identifier(self) -> bytes:
        """The basic credential's octets; empty for X.509."""
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Approval:
    """What a validator answers: the leaf's identity (unique in a group) and when the answer may be reused."""

    def __new__(cls, identity: bytes, not_before: int, not_after: int) -> Approval: ...
    @property
    def identity(self) -> bytes: ...
    @property
    def not_before(self) -> int: ...
    @property
    def not_after(self) -> int: ...

# validate(credential, signature_key, now) returns an Approval or raises to refuse. The exception is chained as the
# __cause__ of CredentialRefusedError. It runs while the object is locked: calling back into the same object raises
# ReentrantCallError.
Validate = Callable[[Credential, bytes, int], Approval]
# succeed(old, old_key, new, new_key) returns None or raises to refuse (RFC 9420 §5.3.1, successor identifiers).
Succeed = Callable[[Credential, bytes, Credential, bytes], None]
# validate_external(credential, signature_key, now) returns None or raises to refuse an entry of external_senders: of a
# group that is founded, joined or observed, and of a change of the extension. Its answer is not kept.
ValidateExternal = Callable[[Credential, bytes, int], None]

@final
class Member:
    """A leaf of the ratchet tree that is not blank."""

    index: int  # leaf index
    credential: Credential
    signature_key: bytes
    identity: bytes

@final
class KeyPackage:
    message: bytes  # MLSMessage(KeyPackage): publish this
    reference: bytes  # KeyPackageRef (RFC 9420 §5.2)
    secret: bytes  # private part, opaque: store it encrypted, hand it to Engine.join
    not_after: int

@final
class Inspected:
    """What an MLSMessage says of itself without any state; nothing in it is authenticated yet."""

    kind: Literal["public_message", "private_message", "welcome", "group_info", "key_package"]
    content: Literal["application", "proposal", "commit"] | None  # for public and private messages
    group_id: bytes | None
    epoch: int | None
    cipher_suite: int | None
    sender: Literal["member", "external", "new_member_proposal", "new_member_commit"] | None  # public messages
    sender_index: int | None  # public messages of members
    authenticated_data: bytes | None  # of public and private messages; authenticated by what opens them
    key_package_references: tuple[bytes, ...]  # of a Welcome's addressees; of a key package, its own
    # by-value proposal types in a public commit, or the type of a public proposal: "add", "update", "remove", "psk",
    # "reinit", "external_init", "group_context_extensions", "custom:<n>"
    proposals: tuple[str, ...]
    # (credential, signature_key) of a key package, of Adds, Updates and the path leaf
    proposed_credentials: tuple[tuple[Credential, bytes], ...]
    removed: tuple[int, ...]  # leaf indices that by-value Remove proposals name
    has_path: bool

def inspect(message: bytes) -> Inspected:
    """Parses one MLSMessage exactly (no trailing bytes). Raises MalformedError."""

def tree_members(ratchet_tree: bytes) -> list[tuple[int, Credential, bytes]]:
    """(leaf index, credential, signature key) for each non-blank leaf of a ratchet tree. Raises MalformedError."""

def encode_external_senders(senders: Sequence[tuple[Credential, bytes]]) -> bytes:
    """The content of a GroupContext extension of type 5 (RFC 9420 §12.1.8.1): (credential, signature key) pairs."""

def decode_external_senders(content: bytes) -> list[tuple[Credential, bytes]]:
    """The pairs that such an extension names. Raises MalformedError."""

def import_key_package(message: bytes, init_key: bytearray, encryption_key: bytearray) -> KeyPackage:
    """A key package made elsewhere, in the form that Engine.join takes. Raises MalformedError.

    The raw HPKE private keys are copied and wiped.
    """

@final
class Preview:
    """A Welcome or GroupInfo looked into, before joining."""

    group_id: bytes
    epoch: int
    cipher_suite: int
    signer_index: int
    context_extensions: tuple[tuple[int, bytes], ...]
    members: tuple[tuple[int, Credential, bytes], ...]  # empty where the tree is neither in-band nor given

@final
class Application:
    """A decrypted application message."""

    sender: Member  # of the message's own epoch
    epoch: int
    data: bytes
    authenticated_data: bytes

@final
class Proposal:
    """A proposal received and cached; the next commit must cover it."""

    sender: Member | None  # None for senders outside the group
    external: int | None  # which of the group's external senders it is by
    removed: Member | None  # whom a Remove names
    reference: bytes  # ProposalRef (RFC 9420 §5.2)
    epoch: int
    type: str  # as in Inspected.proposals
    authenticated_data: bytes

@final
class Proposed:
    """A proposal that waits in a group's cache, or that a commit carried out."""

    type: str  # as in Inspected.proposals
    sender: Member | None  # for a commit's own proposals its committer; None for senders outside the group
    external: int | None  # which of the group's external senders it is by
    removed: Member | None  # whom a Remove names
    reference: bytes | None  # ProposalRef (RFC 9420 §5.2); None for what stands in a commit by value

@final
class Commit:
    """A commit applied: the group is in the epoch named here."""

    epoch: int  # the new epoch
    committer: Member | None  # as before the commit; the new member for an external commit
    external: bool
    added: tuple[Member, ...]
    removed: tuple[Member, ...]  # as they were before the commit
    updated: tuple[tuple[Member, Member], ...]  # (before, after) where the credential or the signature key changed
    proposals: tuple[Proposed, ...]  # with the members as they were before the commit
    context_changed: bool
    context_extensions: tuple[tuple[int, bytes], ...]  # of the new epoch
    # then added and updated are not told, and the group stays as it was
    removed_self: bool
    reinit: bool
    authenticated_data: bytes

@final
class Pending:
    """A commit made but not applied. The group has not changed."""

    commit: bytes
    welcomes: tuple[bytes, ...]
    group_info: bytes  # for external joins and observers, of the new epoch, with the ratchet tree inside
    # opaque, bound to group and epoch: store encrypted, give to Group.apply once the delivery service has accepted
    secrets: bytes
    unused_proposals: int

@final
class Delta:
    """What must be stored, in one transaction, before anything made by the group leaves the machine."""

    state: bytes  # the whole private state without the ratchet tree
    tree: bytes | None  # the ratchet tree, only when it differs from the last one acknowledged
    epoch: int
    epoch_inserts: tuple[tuple[int, bytes], ...]  # secrets of past epochs: keep them only to read late messages
    epoch_updates: tuple[tuple[int, bytes], ...]
    used_key_packages: tuple[bytes, ...]  # KeyPackageRefs whose secrets must be deleted now
    token: int

# ---- engine --------------------------------------------------------------------------------------------------

@final
class Engine:
    """One device: a cipher suite, a signing identity and the rule that decides whom to believe.

    `signing_key` is copied and wiped. `succeed=None` accepts a successor only with the same identity.
    The validator must check that the credential is for this signature key (RFC 9420 §5.3): nothing here does.
    """

    def __new__(
        cls,
        cipher_suite: int,
        credential: Credential,
        signing_key: bytearray,
        validate: Validate,
        succeed: Succeed | None = None,
        *,
        validate_external: ValidateExternal | None = None,
        padding: Literal["step", "padme", "none"] = "step",
        encrypt_handshakes: bool = False,
        psks: Mapping[bytes, bytearray] = ...,
        extension_types: Sequence[int] = (),
        leaf_extensions: Sequence[tuple[int, bytes]] = (),
        past_epochs: int = 0,
    ) -> Engine:
        """`extension_types` are advertised by this device's leaves (0x000A always is): a context extension needs every
        leaf to advertise its type. `leaf_extensions` are carried by this device's leaves: in key packages, in groups
        that it creates, and in commits that name this engine as `identity`; their types must be among the advertised
        ones. Entries of external_senders are asked about at `validate_external`; without it, at `validate`, as if they
        were leaves. `past_epochs` is how many past epochs a Group keeps in memory after `ack`, to read
        late messages; rows given to `load` stay usable in any case. The keys in `psks` are copied and wiped, too."""
    @property
    def cipher_suite(self) -> int: ...
    @property
    def credential(self) -> Credential: ...
    @property
    def signature_key(self) -> bytes: ...
    @property
    def leaf_extensions(self) -> tuple[tuple[int, bytes], ...]: ...
    def rotate(
        self,
        credential: Credential,
        signing_key: bytearray,
        *,
        leaf_extensions: Sequence[tuple[int, bytes]] | None = None,
    ) -> Engine:
        """The same device with a new credential; both engines share the validator's memory and the PSKs.

        Without `leaf_extensions` its leaves carry what they did."""
    def key_package(self, now: int, *, lifetime: int, last_resort: bool = False) -> KeyPackage:
        """A signed key package, valid from one hour before `now` for `lifetime` seconds."""
    def check_key_package(self, message: bytes, now: int) -> Member:
        """Validates another client's key package, credential included (index 0 is meaningless). Raises."""
    def preview(self, welcome: bytes, secrets: Sequence[bytes], now: int, *, tree: bytes | None = None) -> Preview:
        """Looks into a Welcome. With a tree at hand the GroupInfo's signature and its signer's credential are checked;
        the members listed are checked only by `join`."""
    def preview_group_info(self, group_info: bytes, now: int, *, tree: bytes | None = None) -> Preview: ...
    def create(self, group_id: bytes, now: int, *, context_extensions: Sequence[tuple[int, bytes]] = ()) -> Group: ...
    def join(
        self,
        welcome: bytes,
        secrets: Sequence[bytes],
        now: int,
        *,
        tree: bytes | None = None,
        lifetimes: bool = True,
    ) -> Group:
        """Joins from a Welcome with the secrets of key packages that this engine made.

        `lifetimes=False` leaves leaves that came by a key package, and whose lifetime has ended (RFC 9420 §7.2), to the
        validator alone, as those are that a commit has replaced and that carry none."""
    def external_join(
        self,
        group_info: bytes,
        now: int,
        *,
        tree: bytes | None = None,
        remove: int | None = None,
        psks: Sequence[bytes] = (),
        authenticated_data: bytes = b"",
    ) -> tuple[Group, bytes, bytes]:
        """Joins by an external commit: (group, commit, GroupInfo of the new epoch with the tree).

        Drop the group if the commit is not accepted.
        """
    def load(self, state: bytes, tree: bytes, *, epochs: Mapping[int, bytes] = ...) -> Group:
        """A group from `Delta.state`, the last `Delta.tree`, and past epochs' rows: all from the oldest wanted one."""

# ---- group ---------------------------------------------------------------------------------------------------

@final
class Group:
    """One group at one epoch.

    After any MlsError but OwnMessageError, CommitRequiredError and MalformedError the object refuses every call with
    PoisonedError: load it again from its last stored state. Methods that only read never poison.
    """

    @property
    def group_id(self) -> bytes: ...
    @property
    def epoch(self) -> int: ...
    @property
    def own_index(self) -> int: ...
    @property
    def cipher_suite(self) -> int: ...
    @property
    def poisoned(self) -> bool: ...
    def members(self) -> list[Member]: ...
    def member(self, index: int) -> Member: ...
    def leaf_extensions(self, index: int) -> tuple[tuple[int, bytes], ...]:
        """What a leaf carries beside its credential (RFC 9420 §7.2), in the present epoch."""
    def context_extensions(self) -> tuple[tuple[int, bytes], ...]: ...
    def epoch_authenticator(self) -> bytes: ...
    def export(self, label: bytes, context: bytes, length: int) -> bytearray: ...
    def tree(self) -> bytes: ...
    def tree_hash(self) -> bytes: ...
    def group_info(self, *, with_tree: bool = True, external: bool = True) -> bytes: ...
    def pending_proposals(self) -> int: ...
    def proposals(self) -> list[Proposed]:
        """The cached proposals, one's own among them: the next commit must cover them."""
    def encrypt(self, data: bytes, authenticated_data: bytes = b"") -> bytes: ...
    def process(self, message: bytes, now: int) -> Application | Proposal | Commit: ...
    def commit(
        self,
        now: int,
        *,
        add: Sequence[bytes] = (),  # MLSMessage(KeyPackage)
        remove: Sequence[int] = (),  # leaf indices
        context_extensions: Sequence[tuple[int, bytes]] | None = None,  # replaces the whole list
        psks: Sequence[bytes] = (),  # external PSK ids
        resumption_psks: Sequence[int] = (),  # epochs
        identity: Engine | None = None,  # rotate to this engine's credential and key
        authenticated_data: bytes = b"",
        path: bool = False,  # force an update path
        leave_out: Sequence[bytes] = (),  # ProposalRefs of cached proposals that it does not carry out
    ) -> Pending: ...
    def apply(self, secrets: bytes) -> Commit:
        """Applies a pending commit of this group and this epoch. Raises StalePendingError if it belongs to another."""
    def propose_add(self, key_package: bytes, now: int, authenticated_data: bytes = b"") -> bytes: ...
    def propose_remove(self, index: int, authenticated_data: bytes = b"") -> bytes: ...
    def propose_update(self, now: int, identity: Engine | None = None, authenticated_data: bytes = b"") -> bytes: ...
    def propose_context_extensions(
        self, extensions: Sequence[tuple[int, bytes]], authenticated_data: bytes = b""
    ) -> bytes: ...
    def propose_psk(self, psk_id: bytes, authenticated_data: bytes = b"") -> bytes: ...
    def leave(self, authenticated_data: bytes = b"") -> bytes:
        """A Remove proposal for one's own leaf (RFC 9420 §12.1.3); another member must commit it."""
    def forget_proposals(self) -> None: ...
    def delta(self) -> Delta: ...
    def ack(self, token: int) -> None: ...

# ---- observer ------------------------------------------------------------------------------------------------

@final
class Observer:
    """Follows a group's public handshakes without any secret: a delivery service's view (RFC 9750 §5)."""

    @staticmethod
    def open(
        group_info: bytes,
        validate: Validate,
        succeed: Succeed | None,
        now: int,
        *,
        tree: bytes | None = None,
        validate_external: ValidateExternal | None = None,
    ) -> Observer: ...
    @staticmethod
    def load(
        snapshot: bytes,
        validate: Validate,
        succeed: Succeed | None,
        *,
        validate_external: ValidateExternal | None = None,
    ) -> Observer: ...
    @property
    def group_id(self) -> bytes: ...
    @property
    def epoch(self) -> int: ...
    @property
    def cipher_suite(self) -> int: ...
    @property
    def poisoned(self) -> bool: ...
    def members(self) -> list[Member]: ...
    def context_extensions(self) -> tuple[tuple[int, bytes], ...]: ...
    def proposals(self) -> list[Proposed]:
        """The cached proposals: the next commit must cover them."""
    def tree(self) -> bytes: ...
    def tree_hash(self) -> bytes: ...
    def process(self, message: bytes, now: int) -> Proposal | Commit:
        """Validates and applies one PublicMessage. After an error: PoisonedError until loaded again."""
    def propose_remove(
        self, index: int, credential: Credential, signing_key: bytearray, authenticated_data: bytes = b""
    ) -> bytes:
        """A Remove proposal by an external sender that the group's context names (RFC 9420 §12.1.8.1).

        Nothing changes here: process it as any other. The key is copied and wiped. Raises EngineError where the context
        does not name this sender.
        """
    def snapshot(self) -> bytes: ...

# ---- errors --------------------------------------------------------------------------------------------------

class MlsError(Exception):
    """Root of all errors of this package. `code` is a stable short word."""

    code: str

class MalformedError(MlsError): ...  # bytes that are no MLSMessage, tree, state …
class WrongGroupError(MlsError): ...
class WrongEpochError(MlsError): ...  # the message is for another epoch
class AlreadyReadError(MlsError): ...  # this generation's key was used and deleted
class TooFarAheadError(MlsError): ...
class OwnMessageError(MlsError): ...
class CommitRequiredError(MlsError): ...  # proposals are cached: commit first
class InvalidSignatureError(MlsError): ...
class InvalidConfirmationError(MlsError): ...
class InvalidProposalError(MlsError): ...
class NotAMemberError(MlsError): ...
class CredentialRefusedError(
    MlsError
): ...  # validate() raised, or an identity is twice in the group; __cause__ says why
class SuccessorRefusedError(MlsError): ...
class KeyPackageNotFoundError(MlsError): ...
class MissingTreeError(MlsError): ...
class MissingPskError(MlsError): ...
class StalePendingError(MlsError): ...
class UnsupportedError(MlsError): ...
class PoisonedError(MlsError): ...
class ReentrantCallError(MlsError): ...
class EngineError(MlsError): ...  # anything else mls-rs refused; the message names it
