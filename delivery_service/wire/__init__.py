"""Every request and response of the delivery service, its limits and its problems: the one module that clients import.

Single MLS messages travel as `message/mls` (RFC 9420 §17.10), bundles and batches as MessagePack, control bodies as
JSON with byte strings in base64. `{group}` in a path is the group id in unpadded base64url; `after` is a cursor: the
last sequence number read.

    POST /v1/sessions                        SessionRequest, signed (RFC 9421)   -> 201 SessionGranted
    GET  /v1/status                                                              -> 200 Status
    PUT  /v1/key-packages                    KeyPackageUpload                    -> 200 KeyPackageStock
    GET  /v1/key-packages                                                        -> 200 KeyPackageStock
    GET  /v1/key-packages/references                                             -> 200 KeyPackageReferences
    GET  /v1/openings                                                            -> 200 Openings
    POST /v1/key-packages/claims             KeyPackageClaim, signed (RFC 9421)  -> 200 ClaimedKeyPackages
    PUT  /v1/contact-mode                    ContactMode                         -> 200 Reachability
    GET  /v1/contact-mode                                                        -> 200 Reachability
    POST /v1/contact-requests                ContactRequest, signed (RFC 9421)   -> 201 ContactRequested
    GET  /v1/contact-requests                                                    -> 200 ContactRequests
    PUT  /v1/contact-grants                  ContactGrant                        -> 204
    POST /v1/groups                          message/mls GroupInfo of epoch 0    -> 201 Appended (seq 0)
    POST /v1/groups/{group}/entries          message/mls application, proposal   -> 201 Appended
    POST /v1/groups/{group}/commits          CommitBundle                        -> 201 Appended
    POST /v1/groups/{group}/rejections       rollback.Rejection                  -> 201 rollback.RejectionCounted
    POST /v1/groups/{group}/endings          ending.Ending                       -> 201 ending.Ended
    POST /v1/data-deletions                  ending.DataDeletion                 -> 200 ending.DataDeleted
    GET  /v1/groups/{group}/entries?after=&wait=                                 -> 200 EntryBatch
    GET  /v1/groups                                                              -> 200 GroupHeads
    GET  /v1/inbox?after=&wait=                                                  -> 200 WelcomeBatch
    POST /v1/inbox/ack                       InboxAck                            -> 204
    POST /v1/blobs                           BlobUpload                          -> 201 UploadState
    GET  /v1/uploads/{upload}                                                    -> 200 UploadState
    PUT  /v1/uploads/{upload}/pieces/{piece} application/octet-stream            -> 204
    POST /v1/uploads/{upload}/finish                                             -> 201 BlobStored
    DELETE /v1/uploads/{upload}                                                  -> 204
    GET  /v1/blobs/{blob}                    (Range, If-Range)                   -> 200, 206 application/octet-stream
    DELETE /v1/blobs/{blob}                                                      -> 204
    GET  /v1/events                                                              -> 200 text/event-stream of GroupHeads
    GET  /v1/openapi.json                                                        -> 200 all of this as OpenAPI 3.1
    GET  /v1/health                                                              -> 204
    GET  /v1/ready                                                               -> 204, or 503 overloaded

Every request but the first two and the last three carries `Authorization: Bearer TOKEN`; each POST below `/v1/groups`
but to `rejections` and `endings` also carries `Idempotency-Key` (32 hexadecimal digits): a repeat with the same key
gets the first answer. `{blob}` is the SHA-256 of its octets, 64 hexadecimal digits in lower case; whoever knows it may
read the blob (wire.blobs).
"""

from typing import Annotated, Literal

import msgspec

from delivery_service.wire.duties import EvictionPolicy, RevocationState

MLS_TYPE = "message/mls"
MSGPACK_TYPE = "application/msgpack"
JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"  # RFC 9457
EVENT_STREAM_TYPE = "text/event-stream"
BLOB_TYPE = "application/octet-stream"
IDEMPOTENCY_HEADER = "idempotency-key"

# Signed requests (RFC 9421): what the signature covers, and how old it may be.
SIGNED_COMPONENTS = ("@method", "@authority", "@path", "content-digest")
SIGNATURE_TAG = "ringtrue-delivery"
SIGNATURE_MAX_AGE = 60  # seconds, either way
SESSION_LIFETIME = 600  # seconds

APPLICATION_LIMIT = 64 * 1024  # octets of one application message
PROPOSAL_LIMIT = 64 * 1024
COMMIT_LIMIT = 256 * 1024
WELCOME_LIMIT = 4 * 1024 * 1024  # octets; the ratchet tree travels inside
GROUP_INFO_LIMIT = 4 * 1024 * 1024
FOUNDING_LIMIT = 64 * 1024  # octets of the GroupInfo that founds a group: it has one member
BUNDLE_LIMIT = COMMIT_LIMIT + WELCOME_LIMIT + GROUP_INFO_LIMIT + 1024
KEY_PACKAGE_LIMIT = 16 * 1024
KEY_PACKAGES_PER_DEVICE = 100
KEY_PACKAGES_LOW_WATER = 10
CONTROL_LIMIT = 64 * 1024  # octets of a JSON body
UPLOAD_LIMIT = 2 * KEY_PACKAGES_PER_DEVICE * KEY_PACKAGE_LIMIT
BLOB_LIMIT = 100 * 1024 * 1024  # octets of a blob: the ciphertext of an attachment
BATCH_ENTRIES = 256  # entries in one batch
BATCH_OCTETS = 4 * 1024 * 1024  # a batch ends after the entry that reaches this
LONG_POLL_LIMIT = 30  # seconds
HEARTBEAT = 20  # seconds between comments on an idle event stream
RETENTION = 30 * 86400  # seconds that entries, Welcomes and blobs are kept
CLAIMS_PER_HOUR = 60  # key package claims per requesting number
OWN_CLAIMS_PER_HOUR = 600  # claims for the other devices of the requesting number, which count as no others
CLAIMS_PER_TARGET_HOUR = 60  # claims per target number, all requesters together; more get its last-resort packages
SESSIONS_PER_HOUR = 1200  # sessions per number
OPENINGS_KEPT = 100  # the last openings of one device's sessions, for its owner to see
UPLOADS_PER_HOUR = 120  # key package uploads per number
GROUPS_PER_HOUR = 120  # groups founded per number
OCTETS_PER_HOUR = 512 * 1024 * 1024  # octets of entries, bundles and blobs per number
BLOBS_PER_HOUR = 240  # blobs per number
PROPOSALS_PER_EPOCH = 256  # proposals per group until the next commit
INBOX_LIMIT = 500  # Welcomes that wait for one device
INBOX_PER_NUMBER = 50  # of these, Welcomes by one other number

# Contact before ciphertext. A first contact is a claim or a request between two numbers of which neither has reached or
# granted the other before; it costs a quota, and everything after it costs none (quotas.py).
FIRST_CONTACTS_PER_DAY = 50  # by one number
FIRST_CONTACTS_PER_ISSUER_HOUR = 5_000  # by all numbers that one issuer below a root has certified
FIRST_CONTACTS_PER_TARGET_DAY = 100  # for one number
CONTACT_REQUEST_LIMIT = 4 * 1024  # octets of a contact request
SIGNATURE_FIELD_LIMIT = 1024  # characters of each field of the signature that goes with it
CONTACT_REQUEST_LIFETIME = 14 * 86400  # seconds that a request waits for an answer
CONTACT_REQUEST_PAUSE = RETENTION  # seconds from a request, refused or unanswered, until the next of the same pair
CONTACT_REQUESTS_WAITING = 500  # requests that wait for one number
CONTACT_GRANTS_LIMIT = 10_000  # numbers that one number has granted or blocked
CONTACT_MODE_LIMIT = 256 * 1024  # octets of a ContactMode with all its grants
CONTACT_DECISIONS_PER_HOUR = 1200  # modes and grants by one number
GRANTS_PER_DECISION = 100  # grants in one mode that count as one decision more


class SessionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Opens a session: the device's certificate chain, DER, leaf first, without the root."""

    chain: list[bytes]


class SessionGranted(msgspec.Struct, frozen=True):
    """A bearer token, the device's name here (`+E164/KEYHASH`) and the second at which the token ends."""

    token: str
    device: str
    number: str
    expires_at: int


class Opening(msgspec.Struct, frozen=True):
    """One session that was opened with a device's key. `number` counts all of the device's openings.

    `nonce`: in hexadecimal, the first 16 octets of the SHA-256 of the nonce of the signature that opened it.
    """

    number: int
    at: int
    nonce: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]


class Openings(msgspec.Struct, frozen=True):
    """The last sessions of this device, in order, at most OPENINGS_KEPT.

    One that the device did not open shows that its key is used elsewhere.
    """

    openings: list[Opening]


class Status(msgspec.Struct, frozen=True):
    """The service's host name for group URIs, its clock, its retention in seconds, and the key that it franks with.

    `franking_key`: an uncompressed P-256 point; a client keeps the first one and lets a person decide on any other.
    `eviction`: whom it proposes to remove, in groups that name it; None where it does not. `revocations`: its lists.
    """

    host: str
    now: int
    retention: int
    franking_key: bytes
    eviction: EvictionPolicy | None = None
    revocations: RevocationState | None = None


class KeyPackageUpload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Adds one-time key packages and replaces the last-resort one; each is an MLSMessage(KeyPackage)."""

    key_packages: list[bytes] = []
    last_resort: bytes | None = None


class KeyPackageStock(msgspec.Struct, frozen=True):
    """How many unclaimed one-time key packages remain, and below which number to upload more.

    `rotate`: the last-resort package was handed out, or is older than LAST_RESORT_AGE; upload another, and replace the
    keys of the leaves that came by it (RFC 9750 §5.1).
    """

    available: int
    low_water: int
    last_resort: bool
    rotate: bool = False


class KeyPackageReferences(msgspec.Struct, frozen=True):
    """The KeyPackageRefs (RFC 9420 §5.2) of all that can be claimed of this device, the last-resort one included.

    One that the device did not make shows that its key is used elsewhere.
    """

    references: list[bytes]


class KeyPackageClaim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks for one key package of each device of a number (`+E164`)."""

    number: str


class ClaimedKeyPackages(msgspec.Struct, frozen=True):
    """One MLSMessage(KeyPackage) per device of the number asked for."""

    key_packages: list[bytes]


Mode = Literal["open", "ask", "contacts"]
Decision = Literal["grant", "refuse", "revoke", "block"]


class ContactMode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a number may be reached from now on; `granted` are numbers (`+E164`) that are granted with it.

    `open`: by anybody, and the service forgets all grants. `ask`: by granted numbers, and others may ask.
    `contacts`: by granted numbers, and nobody may ask.
    """

    mode: Mode
    granted: list[str] = []


class Reachability(msgspec.Struct, frozen=True):
    """What the service keeps of a number's choice."""

    mode: Mode
    granted: list[str]
    blocked: list[str]


class ContactRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Asks a number to let the requester reach it; there is no place for words. `chain` as in SessionRequest."""

    number: str
    chain: list[bytes]


class ContactRequested(msgspec.Struct, frozen=True):
    """Whether the number can be reached already; if not, until when the request waits."""

    granted: bool
    expires_at: int


class AskedContact(msgspec.Struct, frozen=True):
    """A contact request as it came in, so that the target checks its signature and chain itself.

    `authority`: the Host that the signature covers; `body`: the octets of the ContactRequest; `at`: the service's word.
    """

    at: int
    authority: str
    signature_input: str
    signature: str
    body: bytes


class ContactRequests(msgspec.Struct, frozen=True):
    """The requests that wait for this number, newest first, and the numbers that granted a request of its own.

    `head` is the GroupHeads.requests that this answer belongs to.
    """

    asked: list[AskedContact]
    granted: list[str]
    head: int


class ContactGrant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lets a number reach this one, answers its request with no, takes a grant or a block back, or hears it no more."""

    number: str
    decision: Decision


class CommitBundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A commit, the Welcomes that exist only if it is accepted, and the new epoch's GroupInfo with its tree."""

    commit: bytes
    welcomes: list[bytes]
    group_info: bytes


class Appended(msgspec.Struct, frozen=True):
    """Where an entry stands in the group's order, and the epoch in which it was sent."""

    seq: int
    epoch: int


# The first three are members' MLS messages; the others are by the service (wire.rollback, wire.ending).
EntryKind = Literal["application", "proposal", "commit", "rollback", "successor", "closing"]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One entry of a group's log. `at_ms` is the service's clock: a claim of the service, not a proof.

    `frank`: the service's confirmation of an application message that carries a franking tag (docs/binding.md §6.1).
    """

    seq: int
    epoch: int
    kind: EntryKind
    idempotency_key: str
    at_ms: int
    body: bytes
    frank: bytes | None = None


class EntryBatch(msgspec.Struct, frozen=True):
    """Entries in order after the cursor; `head` is the last one this device may read, `more` asks for another read.

    `settled`: every commit up to there stands; those after it may still be taken back (wire.rollback).
    """

    entries: list[Entry]
    head: int
    more: bool
    settled: int = 0


class GroupHeads(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last readable sequence number of each of the device's groups (base64url group id), and of its inbox.

    `requests` grows whenever there is something new in the number's ContactRequests or Reachability. `rotate`: the
    device's last-resort key package was handed out, and is to be replaced (KeyPackageStock).
    """

    groups: dict[str, int]
    inbox: int
    requests: int = 0
    rotate: bool = False


class WelcomeItem(msgspec.Struct, frozen=True, array_like=True):
    """A Welcome for this device. Its group's log is to be read after `seq`, the commit that added the device."""

    position: int
    group_id: bytes
    seq: int
    at_ms: int
    welcome: bytes


class WelcomeBatch(msgspec.Struct, frozen=True):
    """Welcomes in order after the cursor."""

    items: list[WelcomeItem]
    head: int


class InboxAck(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything up to this inbox position is stored by the device and may be deleted."""

    position: int


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An RFC 9457 problem of `type` `urn:ringtrue:delivery:WORD`; some words bring extension members."""

    type: str
    title: str
    status: int
    detail: str
    epoch: int | None = None  # stale-epoch: the group's current epoch; gone, after a restore: that of the floor
    head: int | None = None  # stale-epoch: the last sequence number
    floor: int | None = None  # gone: the first sequence number still kept
    limit: int | None = None  # too-large, rate-limited, not-allowed: how much is allowed
    limit_name: str | None = None  # the constant of this module that says so
    retry_after: int | None = None  # rate-limited, overloaded, already-asked: seconds
    mode: Mode | None = None  # no-consent: how the number may be reached


PROBLEM_PREFIX = "urn:ringtrue:delivery:"
# word -> (status, title)
PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be understood"),
    "invalid-signature": (401, "The request's signature was not accepted"),
    "session-expired": (401, "The session has ended or was never opened here"),
    "certificate-revoked": (403, "The certificate was revoked by its authority"),
    "credential-refused": (403, "The certificate chain was not accepted"),
    "not-a-member": (403, "The device is not a member of this group"),
    "not-allowed": (403, "This service does not accept that"),
    "no-consent": (403, "The number has not agreed to be reached"),
    "too-much-stored": (403, "The number has as much stored as it may"),
    "unknown-group": (404, "No such group"),
    "unknown-number": (404, "No device of that number has published key packages"),
    "unknown-blob": (404, "No such blob, or none any more"),
    "unknown-upload": (404, "No such upload, or none any more"),
    "unknown-commit": (404, "The group's log has no such commit"),
    "stale-epoch": (409, "The entry is not for the group's current epoch"),
    "settled": (409, "The commit stands"),
    "group-exists": (409, "A group with that id exists"),
    "no-key-package": (409, "A device of that number has no key package left"),
    "missing-pieces": (409, "Not every piece has come"),
    "already-asked": (409, "The number was asked before"),
    "group-ended": (410, "The group has ended"),
    "gone": (410, "The entries asked for are no longer kept"),
    "too-large": (413, "The body is larger than allowed"),
    "unsupported-type": (415, "The body's type is not the one this address takes"),
    "range-not-satisfiable": (416, "The blob ends before that range"),
    "wrong-digest": (422, "The octets are not those that the blob is named by"),
    "invalid-handshake": (422, "The commit or proposal is not valid for this group"),
    "rate-limited": (429, "Too many requests"),
    "overloaded": (503, "The service is at its limit"),
}
