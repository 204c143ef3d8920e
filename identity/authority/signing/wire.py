"""What the signing service takes and gives: the shapes of 3GPP TS 24.229 Annex V, as ATIS-1000082 has them.

    POST /stir/v1/signing          SigningCall        -> 200 SigningAnswer
    POST /stir/v1/verification     VerificationCall   -> 200 VerificationAnswer
    any refusal                                       -> RequestFailed

Members that the standard has and this service does not use are taken and left aside; unknown ones too, as its clients
expect. Two members are not the standard's: `msgi` in a signing request and `content` in a verification request, for
PASSporTs of messages (RFC 9475).
"""

from typing import Annotated, Any

import msgspec

CALL_BODY_LIMIT = 256 * 1024  # octets of a request's body: several headers with chains, and a message
HEADERS_LIMIT = 8  # further Identity header fields in one request
DESTINATIONS_LIMIT = 64  # numbers or URIs in one token

TN_PASSED = "TN-Validation-Passed"
TN_FAILED = "TN-Validation-Failed"
TN_NOT_VALIDATED = "No-TN-Validation"

# RFC 8224 §6.2.2
REASONS = {
    403: "Stale Date",
    428: "Use Identity Header",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
}

Number = Annotated[str, msgspec.Meta(pattern=r"\A[1-9][0-9]{0,14}\Z")]
Uri = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
Label = Annotated[str, msgspec.Meta(max_length=128)]
Field = Annotated[str, msgspec.Meta(max_length=32_768)]


class One(msgspec.Struct, frozen=True, omit_defaults=True):
    """One identity: a number or a URI."""

    tn: Number | None = None
    uri: Uri | None = None


class Many(msgspec.Struct, frozen=True, omit_defaults=True):
    """Numbers and URIs."""

    tn: Annotated[list[Number], msgspec.Meta(max_length=DESTINATIONS_LIMIT)] | None = None
    uri: Annotated[list[Uri], msgspec.Meta(max_length=DESTINATIONS_LIMIT)] | None = None


class SigningRequest(msgspec.Struct, frozen=True):
    """What is to be signed; without `ppt` it is a call (`shaken`), which has `attest` and `origid`."""

    dest: Many
    iat: Seconds
    orig: One
    ppt: Label | None = None
    attest: Label | None = None
    origid: Label | None = None
    msgi: Label | None = None
    requestId: Label | None = None  # noqa: N815 - the standard's name


class SigningCall(msgspec.Struct, frozen=True):
    """The body of a signing request."""

    signingRequest: SigningRequest  # noqa: N815


class SigningResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of an Identity header field."""

    identityHeader: str  # noqa: N815
    requestId: str | None = None  # noqa: N815


class SigningAnswer(msgspec.Struct, frozen=True):
    """The body of a signing response."""

    signingResponse: SigningResponse  # noqa: N815


class VerificationRequest(msgspec.Struct, frozen=True):
    """An Identity header field, perhaps others, and what the SIP request says: who, to whom, when.

    `dest` is where the request goes after it was diverted. `content` is the body of a message that `msgi` covers.
    """

    identityHeader: Field  # noqa: N815
    to: One
    time: Seconds
    from_: One = msgspec.field(name="from")
    identityHeaders: Annotated[list[Field], msgspec.Meta(max_length=HEADERS_LIMIT)] | None = None  # noqa: N815
    dest: One | None = None
    content: bytes | None = None
    requestId: Label | None = None  # noqa: N815
    displayName: Label | None = None  # noqa: N815


class VerificationCall(msgspec.Struct, frozen=True):
    """The body of a verification request."""

    verificationRequest: VerificationRequest  # noqa: N815


class VerifyResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one token: `pass` with its claims, or `fail` with the code of RFC 8224 and why."""

    ppt: str
    status: str
    reasonCode: int | None = None  # noqa: N815
    reasonText: str | None = None  # noqa: N815
    reasonDescription: str | None = None  # noqa: N815
    passport: str | None = None
    validClaims: dict[str, Any] | None = None  # noqa: N815


class VerifyResultEntry(msgspec.Struct, frozen=True):
    """One entry of `verifyResults`."""

    verifyResult: VerifyResult  # noqa: N815


class DivResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of the token of one diversion."""

    div: One
    verstatValue: str  # noqa: N815


class VerificationResponse(msgspec.Struct, frozen=True, omit_defaults=True):
    """The verdict on the sender (`verstatValue`), on each diversion, and on each token in the order of the request."""

    verstatValue: str  # noqa: N815
    verifyResults: list[VerifyResultEntry]  # noqa: N815
    divResult: list[DivResult] | None = None  # noqa: N815
    requestId: str | None = None  # noqa: N815
    displayName: str | None = None  # noqa: N815


class VerificationAnswer(msgspec.Struct, frozen=True):
    """The body of a verification response."""

    verificationResponse: VerificationResponse  # noqa: N815


class Failure(msgspec.Struct, frozen=True):
    """Why a request was not carried out: `text` with %1, %2 for its `variables`."""

    messageId: str  # noqa: N815
    text: str
    variables: list[str]


class RequestError(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service exception (SVC…: the request is wrong) or a policy exception (POL…: it is not allowed)."""

    serviceException: Failure | None = None  # noqa: N815
    policyException: Failure | None = None  # noqa: N815


class RequestFailed(msgspec.Struct, frozen=True):
    """The body of every refusal."""

    requestError: RequestError  # noqa: N815


# id -> (HTTP status, text); SVC4008, SVC4009, POL4010 and POL4030 are not of the standard, which leaves them open
FAILURES: dict[str, tuple[int, str]] = {
    "SVC4000": (400, "Error: Missing request body."),
    "SVC4001": (400, "Error: Missing mandatory parameter '%1'."),
    "SVC4003": (404, "Error: Requested resource was not found."),
    "SVC4004": (415, "Error: Unsupported request body type, expected '%1'."),
    "SVC4005": (400, "Error: Invalid '%1' parameter value: %2."),
    "SVC4006": (400, "Error: Failed to parse received message body: %1."),
    "SVC4008": (408, "Error: The message body did not arrive within %1 seconds."),
    "SVC4009": (413, "Error: The message body has more than %1 octets."),
    "POL4010": (401, "Error: The client is not authenticated."),
    "POL4030": (403, "Error: This service does not sign for '%1'."),
    "POL4050": (405, "Error: Method not allowed."),
    "POL5000": (500, "Error: Internal Error. Please try again later."),
}
