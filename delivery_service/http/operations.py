"""Every route of the delivery service in one table, for its OpenAPI document (`identity/openapi.py`).

A new route is a line here: method, path, what it is for, its answers; `takes`, the body; `refuses`, the problem words
beyond those that follow from the rest. A test compares the table with what the service serves.
"""

from typing import Any

from delivery_service import wire
from delivery_service.wire.blobs import BlobStored, BlobUpload, UploadState
from delivery_service.wire.ending import DataDeleted, DataDeletion, Ended, Ending
from delivery_service.wire.rollback import Rejection, RejectionCounted
from identity.openapi import Document, Events, Octets, Operation, Parameter, Shape

DOCUMENT_PATH = "/v1/openapi.json"
_LARGEST: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
_AFTER = Parameter("after", _LARGEST, required=False)
_WAIT = Parameter("wait", {"type": "integer", "minimum": 0, "maximum": wire.LONG_POLL_LIMIT}, required=False)
_HEX_32: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
_IN_PATH: dict[str, dict[str, Any]] = {
    "group": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    "blob": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "upload": _HEX_32,
    "piece": {"type": "integer", "minimum": 0, "maximum": 999_999},
}
_REPEATABLE = Parameter(wire.IDEMPOTENCY_HEADER, _HEX_32, "header")
_SIGNATURE = tuple(
    Parameter(name, {"type": "string"}, "header") for name in ("content-digest", "signature-input", "signature")
)

Answer = Shape | Octets | Events | None


def _operation(
    method: str,
    path: str,
    summary: str,
    *answers: tuple[int, Answer],
    takes: Shape | Octets | None = None,
    query: tuple[Parameter, ...] = (),
    refuses: tuple[str, ...] = (),
    session: bool = True,
    signed: bool = False,
    repeatable: bool = False,
) -> Operation:
    """Make a line of the table. `signed`: RFC 9421; `repeatable`: with an Idempotency-Key."""
    in_path = tuple(Parameter(name, form, "path") for name, form in _IN_PATH.items() if f"{{{name}}}" in path)
    headers = (_SIGNATURE if signed else ()) + ((_REPEATABLE,) if repeatable else ())
    words = {*refuses, "overloaded"}
    words |= {"session-expired", "credential-refused"} if session else set()
    words |= {"invalid-signature"} if signed else set()
    words |= {"malformed"} if in_path or query or headers or takes else set()
    words |= {"too-large", "unsupported-type"} if takes else set()
    parameters = (*in_path, *query, *headers)
    refusals = _by_status(words)
    return Operation(
        method, path, summary, answers, wire.Problem, wire.PROBLEM_TYPE, takes, parameters, refusals, session
    )


def _by_status(words: set[str]) -> tuple[tuple[int, str], ...]:
    statuses = sorted({wire.PROBLEMS[word][0] for word in words})
    return tuple(
        (status, ", ".join(sorted(word for word in words if wire.PROBLEMS[word][0] == status))) for status in statuses
    )


def _packed(shape: Shape) -> Octets:
    return Octets(wire.MSGPACK_TYPE, f"MessagePack of a {shape.__name__}")


_MLS = Octets(wire.MLS_TYPE, "an MLSMessage (RFC 9420 section 6)")
_BLOB = Octets(wire.BLOB_TYPE)
_RANGE = tuple(Parameter(name, {"type": "string"}, "header", required=False) for name in ("range", "if-range"))
_IN_GROUP = ("unknown-group", "not-a-member")
_ENTRY = (
    *_IN_GROUP, "group-ended", "stale-epoch", "not-allowed", "credential-refused", "invalid-handshake", "rate-limited",
)  # fmt: skip

OPERATIONS: tuple[Operation, ...] = (
    # Sessions
    _operation("POST", "/v1/sessions", "Open a session", (201, wire.SessionGranted), takes=wire.SessionRequest,
               session=False, signed=True, refuses=("credential-refused", "rate-limited")),
    _operation("GET", "/v1/openings", "The last sessions of this device", (200, wire.Openings)),
    _operation("GET", "/v1/status", "The service, its clock and its retention", (200, wire.Status), session=False),
    # Key packages, and how a number may be reached
    _operation("PUT", "/v1/key-packages", "Add key packages", (200, wire.KeyPackageStock), takes=wire.KeyPackageUpload,
               refuses=("credential-refused", "invalid-handshake", "not-allowed", "rate-limited")),
    _operation("GET", "/v1/key-packages", "How many key packages are left", (200, wire.KeyPackageStock)),
    _operation("GET", "/v1/key-packages/references", "The key packages that can be claimed of this device",
               (200, wire.KeyPackageReferences)),
    _operation("POST", "/v1/key-packages/claims", "Claim a key package of each device of a number",
               (200, wire.ClaimedKeyPackages), takes=wire.KeyPackageClaim, signed=True,
               refuses=("unknown-number", "no-key-package", "no-consent", "rate-limited")),
    _operation("PUT", "/v1/contact-mode", "Choose how this number may be reached", (200, wire.Reachability),
               takes=wire.ContactMode, refuses=("rate-limited", "not-allowed")),
    _operation("GET", "/v1/contact-mode", "How this number may be reached", (200, wire.Reachability)),
    _operation("POST", "/v1/contact-requests", "Ask a number to be let through", (201, wire.ContactRequested),
               takes=wire.ContactRequest, signed=True,
               refuses=("credential-refused", "unknown-number", "no-consent", "already-asked", "not-allowed",
                        "rate-limited")),
    _operation("GET", "/v1/contact-requests", "Who asks to be let through", (200, wire.ContactRequests)),
    _operation("PUT", "/v1/contact-grants", "Let a number through, or not", (204, None), takes=wire.ContactGrant,
               refuses=("rate-limited", "not-allowed")),
    # Groups
    _operation("POST", "/v1/groups", "Found a group", (201, wire.Appended), takes=_MLS, repeatable=True,
               refuses=("group-exists", "credential-refused", "invalid-handshake", "not-allowed", "rate-limited")),
    _operation("GET", "/v1/groups", "The heads of this device's groups", (200, wire.GroupHeads)),
    _operation("POST", "/v1/groups/{group}/entries", "Append a message or proposal", (201, wire.Appended), takes=_MLS,
               repeatable=True, refuses=_ENTRY),
    _operation("GET", "/v1/groups/{group}/entries", "Entries after a cursor", (200, _packed(wire.EntryBatch)),
               query=(_AFTER, _WAIT), refuses=(*_IN_GROUP, "gone")),
    _operation("POST", "/v1/groups/{group}/commits", "Append a commit, with its Welcomes", (201, wire.Appended),
               takes=_packed(wire.CommitBundle), repeatable=True, refuses=(*_ENTRY, "no-consent")),
    _operation("POST", "/v1/groups/{group}/rejections", "Report a commit that cannot be applied",
               (201, RejectionCounted), takes=Rejection,
               refuses=("unknown-group", "unknown-commit", "settled", "not-allowed", "invalid-signature",
                        "rate-limited")),
    _operation("POST", "/v1/groups/{group}/endings", "Put a successor in a group's place, or have it deleted",
               (201, Ended), takes=Ending,
               refuses=(*_IN_GROUP, "group-ended", "not-allowed", "invalid-signature", "rate-limited")),
    _operation("POST", "/v1/data-deletions", "Delete what is kept for this device or its number", (200, DataDeleted),
               takes=DataDeletion, refuses=("rate-limited",)),
    # The inbox and the event stream
    _operation("GET", "/v1/inbox", "Welcomes for this device", (200, _packed(wire.WelcomeBatch)),
               query=(_AFTER, _WAIT)),
    _operation("POST", "/v1/inbox/ack", "Let the service forget Welcomes", (204, None), takes=wire.InboxAck),
    _operation("GET", "/v1/events", "The heads, as they grow", (200, Events(wire.GroupHeads))),
    # Blobs
    _operation("POST", "/v1/blobs", "Begin to upload a blob, or go on", (201, UploadState), takes=BlobUpload,
               refuses=("too-much-stored", "rate-limited", "unknown-upload")),
    _operation("GET", "/v1/uploads/{upload}", "What is missing of an upload", (200, UploadState),
               refuses=("unknown-upload",)),
    _operation("PUT", "/v1/uploads/{upload}/pieces/{piece}", "Store a piece", (204, None), takes=_BLOB,
               refuses=("unknown-upload", "rate-limited")),
    _operation("POST", "/v1/uploads/{upload}/finish", "Make the blob readable", (201, BlobStored),
               refuses=("unknown-upload", "missing-pieces", "wrong-digest")),
    _operation("DELETE", "/v1/uploads/{upload}", "Give an upload up", (204, None), refuses=("unknown-upload",)),
    _operation("GET", "/v1/blobs/{blob}", "Read a blob, or a range of it", (200, _BLOB), (206, _BLOB),
               query=_RANGE, refuses=("unknown-blob", "range-not-satisfiable")),
    _operation("DELETE", "/v1/blobs/{blob}", "Delete a blob that this number has stored", (204, None),
               refuses=("unknown-blob",)),
    # About itself
    _operation("GET", "/v1/health", "Whether the process runs", (204, None), session=False),
    _operation("GET", "/v1/ready", "Whether it takes requests", (204, None), session=False),
    _operation("GET", DOCUMENT_PATH, "This document", (200, Document), session=False),
)  # fmt: skip
