"""Everything that `identity` raises.

IdentityError                   .code: a short stable word, for programs
├── NumberError                 text is not a telephone number
├── TNAuthListError             a TNAuthList is malformed, or one reaches beyond its parent
├── ClaimConstraintsError       JWT claim constraints are malformed or violated
├── NumberAttributesError       what a certificate declares of its numbers cannot be read
├── TransparencyError           a log's entry, timestamp, tree head or key cannot be read, or is not by the log
├── CertificateError            a certificate, chain, trust list or CSR is not acceptable
├── PassportError               a PASSporT is malformed or does not verify    .check: its number in the list of checks
├── BindingError                the parts are sound but do not belong together .check: its number in the list of checks
├── RolesError                  a group's list of admins is malformed, or a change breaks the rules for roles
├── EvictionError               a service's removal, or who may propose it, breaks the rules    .check: its number
├── FrankingError               a franking tag or a frank is malformed, or confirms something else
├── StatementError              a signed statement is malformed, or not by the key that it must be by
├── RevocationError             a CRL or an OCSP response does not count             .check: its number among the checks
├── JWSError                    a signed request of ACME cannot be read, or is not by its key
├── AuthorityTokenError         an authority token does not show the right to a number  .check: its number (RFC 9448 §6)
├── ReportError                 a report does not prove what it says              .check: its number among the checks
├── FetchError                  the certificates at a token's address were not fetched
└── StatusListError             a status list is malformed, or not by an authority that may speak of its numbers

Messages quote untrusted text only through `ascii()`, so they may be shown on a terminal.
"""


class IdentityError(Exception):
    """A rule about who owns a number does not hold."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class NumberError(IdentityError):
    """The text is not a telephone number; the message says what to write instead."""


class TNAuthListError(IdentityError):
    """A TNAuthList (RFC 8226 §9) is malformed, or a list reaches beyond the list above it (RFC 9060)."""


class ClaimConstraintsError(IdentityError):
    """Claim constraints (RFC 8226 §8, RFC 9118) are malformed, or a token's claims break them."""


class NumberAttributesError(IdentityError):
    """Number attributes (draft-wendt-stir-cert-tn-attr-ext) are malformed."""


class TransparencyError(IdentityError):
    """A log's entry, signed timestamp, tree head or key (RFC 6962) cannot be read, or is not by the log it names."""


class CertificateError(IdentityError):
    """A certificate, a chain, a trust list or a certificate request is not acceptable."""


class PassportError(IdentityError):
    """A PASSporT (RFC 8225, RFC 9475) is malformed or does not verify."""

    def __init__(self, code: str, message: str, *, check: int) -> None:
        super().__init__(code, message)
        self.check = check


class BindingError(IdentityError):
    """Credential, token, message and group do not belong together."""

    def __init__(self, code: str, message: str, *, check: int) -> None:
        super().__init__(code, message)
        self.check = check


class RolesError(IdentityError):
    """A group's list of admins is malformed, or a change to the group breaks the rules for roles."""


class EvictionError(IdentityError):
    """What a delivery service proposes as a group's external sender, or who may do so, breaks the rules."""

    def __init__(self, code: str, message: str, *, check: int) -> None:
        super().__init__(code, message)
        self.check = check


class FrankingError(IdentityError):
    """A franking tag or a service's frank is malformed, or confirms another message."""


class StatementError(IdentityError):
    """A signed statement (RFC 7515) is malformed, of another kind, or not by the key that it must be by."""


class ReportError(IdentityError):
    """A report does not prove what it says."""

    def __init__(self, code: str, message: str, *, check: int) -> None:
        super().__init__(code, message)
        self.check = check


class RevocationError(IdentityError):
    """A list of revocations (RFC 5280 §5) or an OCSP response (RFC 6960) is malformed, out of date or of others."""

    def __init__(self, code: str, message: str, *, check: int) -> None:
        super().__init__(code, message)
        self.check = check


class FetchError(IdentityError):
    """The certificates at a token's address were not fetched, or are none."""


class StatusListError(IdentityError):
    """A status list is malformed, out of date, or not by an authority that may speak of its numbers."""


class JWSError(IdentityError):
    """A signed request (RFC 8555 §6.2) cannot be read, or is not signed by its key."""


class AuthorityTokenError(IdentityError):
    """An authority token (RFC 9447, RFC 9448) does not show the right to what was ordered."""

    def __init__(self, code: str, message: str, *, check: int) -> None:
        super().__init__(code, message)
        self.check = check
