"""Every route of the authority's services in one table, for the OpenAPI documents (`identity/openapi.py`).

A new route is a line here; a test compares the table with what the services serve.
"""

from typing import Any

from identity.authority import wire
from identity.authority.acme import wire as acme
from identity.authority.links import wire as links
from identity.authority.log import wire as log
from identity.authority.signing import wire as signing
from identity.authority.tokens import wire as tokens
from identity.openapi import Document, Octets, Operation, Parameter, Shape, Signed

DOCUMENT_PATH = "/openapi.json"

_STIR = "/stir/v1/"
_LOG = log.PREFIX
_PEM, _BOX = Octets(wire.PEM_TYPE), Octets(links.BOX_TYPE)
_SIZE: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**32}
_WAIT: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": links.WAIT_LIMIT}
_IN_PATH: dict[str, dict[str, Any]] = {
    "mailbox": {"type": "string", "pattern": f"^[0-9a-f]{{{links.MAILBOX_DIGITS}}}$"},
    "slot": {"enum": list(links.SLOTS)},
    "name": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
    "request": {"type": "string", "pattern": "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[A-Za-z0-9+/=]=)?$", "minLength": 4},
}

Answer = Shape | Octets | None


def _operation(
    method: str,
    path: str,
    summary: str,
    *answers: tuple[int, Answer],
    takes: Shape | Octets | Signed | None = None,
    query: tuple[Parameter, ...] = (),
) -> Operation:
    """Make a line of the table: parameters of the path have their form above, and each service its own refusals."""
    named = [name for name in _IN_PATH if f"{{{name}}}" in path]
    parameters = (*(Parameter(name, _IN_PATH[name], "path") for name in named), *query)
    refusal: Shape = wire.Problem
    if path.startswith("/acme/"):
        refusal = acme.Problem
    elif path.startswith(_STIR):
        refusal = signing.RequestFailed
    refusal_type = wire.JSON_TYPE if path.startswith(_STIR) else wire.PROBLEM_TYPE
    return Operation(method, path, summary, answers, refusal, refusal_type, takes, parameters)


def _number(name: str) -> Parameter:
    return Parameter(name, _SIZE)


OPERATIONS: tuple[Operation, ...] = (
    # Token authority (RFC 9447, RFC 9448)
    _operation("POST", "/v1/challenges", "Send a code to a number", (201, wire.ChallengeOpened),
               takes=wire.ChallengeRequest),
    _operation("POST", "/at/account/{id}/token", "Issue an authority token", (200, tokens.TokenIssued),
               takes=tokens.TokenRequest),
    _operation("GET", "/at/anchors.pem", "The roots of authority tokens", (200, _PEM)),
    # Certification authority (RFC 8555)
    _operation("GET", "/acme/directory", "Where each request goes", (200, acme.Directory)),
    _operation("GET", "/acme/new-nonce", "A nonce, in Replay-Nonce; HEAD does it too", (204, None)),
    _operation("POST", "/acme/directory", "Where each request goes", (200, acme.Directory), takes=Signed()),
    _operation("POST", "/acme/new-nonce", "A nonce, in Replay-Nonce", (204, None), takes=Signed()),
    _operation("POST", "/acme/new-account", "Open or find an account", (201, acme.Account), (200, acme.Account),
               takes=Signed(acme.NewAccount)),
    _operation("POST", "/acme/account/{id}", "Read or end an account", (200, acme.Account),
               takes=Signed(acme.AccountUpdate)),
    _operation("POST", "/acme/account/{id}/orders", "The orders of an account", (200, acme.Orders), takes=Signed()),
    _operation("POST", "/acme/new-order", "Order a certificate", (201, acme.Order), takes=Signed(acme.NewOrder)),
    _operation("POST", "/acme/order/{id}", "Read an order", (200, acme.Order), takes=Signed()),
    _operation("POST", "/acme/order/{id}/finalize", "Have the certificate issued", (200, acme.Order),
               takes=Signed(acme.Finalize)),
    _operation("POST", "/acme/authorization/{id}", "Read or give up an authorization", (200, acme.Authorization),
               takes=Signed(acme.AuthorizationUpdate)),
    _operation("POST", "/acme/challenge/{id}", "Answer a challenge with an authority token", (200, acme.Challenge),
               takes=Signed(acme.ChallengeAnswer)),
    _operation("POST", "/acme/certificate/{id}", "Fetch a certificate and its issuers", (200, _PEM), takes=Signed()),
    _operation("POST", "/acme/revoke-certificate", "Revoke a certificate", (200, None), takes=Signed(acme.Revocation)),
    _operation("POST", "/acme/key-change", "Change an account's key", (200, acme.Account),
               takes=Signed(acme.KeyChange)),
    # What it publishes, and what it hears from devices
    _operation("GET", "/v1/status", "The authority, its numbers and its clock", (200, wire.Status)),
    _operation("GET", "/v1/anchors.pem", "The roots of certificates", (200, _PEM)),
    _operation("GET", "/certificates/{name}.pem", "A published chain, with its root", (200, _PEM)),
    _operation("GET", "/v1/crl", "The list of revoked certificates", (200, Octets(wire.CRL_TYPE)), (304, None)),
    _operation("POST", "/ocsp", "The status of a certificate", (200, Octets(wire.OCSP_RESPONSE_TYPE)),
               takes=Octets(wire.OCSP_REQUEST_TYPE)),
    _operation("GET", "/ocsp/{request}", "The same by GET, with the request in base64",
               (200, Octets(wire.OCSP_RESPONSE_TYPE))),
    _operation("GET", "/v1/status-list", "The signed list of numbers that were reported",
               (200, Octets(wire.STATUS_LIST_MEDIA_TYPE)), (304, None)),
    _operation("POST", "/v1/holdings", "The certificates of one's own number", (200, wire.Holdings),
               takes=wire.HoldingsRequest),
    _operation("POST", "/v1/reports", "Hand in a report", (201, wire.ReportTaken), takes=wire.ReportRequest),
    _operation("POST", "/v1/standing", "What counts against one's own number", (200, wire.Standing),
               takes=wire.StandingRequest),
    # The meeting place of two devices of a number
    _operation("PUT", "/v1/links/{mailbox}/{slot}", "Leave a box", (201, None), takes=_BOX),
    _operation("POST", "/v1/links/{mailbox}/{slot}", "Take a box, waiting for it", (200, _BOX), (204, None),
               query=(Parameter("wait", _WAIT, required=False),)),
    _operation("DELETE", "/v1/links/{mailbox}", "Close a mailbox", (204, None)),
    # The log of certificates (RFC 6962 §4)
    _operation("GET", "/v1/logs", "The logs that take this authority's certificates", (200, log.Logs)),
    _operation("POST", f"{_LOG}/add-pre-chain", "Log a precertificate", (200, log.Timestamp), takes=log.Chain),
    _operation("POST", f"{_LOG}/add-chain", "Log a certificate", (200, log.Timestamp), takes=log.Chain),
    _operation("GET", f"{_LOG}/get-sth", "The signed head of the tree", (200, log.Head)),
    _operation("GET", f"{_LOG}/get-sth-consistency", "Prove that a head grew from another", (200, log.Consistency),
               query=(_number("first"), _number("second"))),
    _operation("GET", f"{_LOG}/get-proof-by-hash", "Prove that an entry is in the tree", (200, log.Proof),
               query=(Parameter("hash", {"type": "string", "pattern": "^[A-Za-z0-9+/]{43}=$"}), _number("tree_size"))),
    _operation("GET", f"{_LOG}/get-entries", "Entries of the log", (200, log.Entries),
               query=(_number("start"), _number("end"))),
    _operation("GET", f"{_LOG}/get-roots", "The roots that are taken", (200, log.Roots)),
    # Signing for SIP servers (TS 24.229 Annex V)
    _operation("POST", f"{_STIR}signing", "Sign a call or message", (200, signing.SigningAnswer),
               takes=signing.SigningCall),
    _operation("POST", f"{_STIR}verification", "Verify Identity header fields", (200, signing.VerificationAnswer),
               takes=signing.VerificationCall),
    _operation("GET", DOCUMENT_PATH, "This document", (200, Document)),
)  # fmt: skip
