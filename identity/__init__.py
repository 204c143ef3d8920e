"""Who owns a number? Pure rules over certificates and tokens; no I/O, no clock."""

from identity.attestation import ClaimedDisplay, Expected, attest, claimed_display, verify
from identity.binding import (
    Check,
    DeviceIdentity,
    DeviceVerifier,
    Evidence,
    MessageContext,
    ReceivedMessage,
    Verdict,
    Verification,
    attest_message,
    group_uri,
    user_uri,
    verify_message,
    x5u_for,
)
from identity.certificates import ChainVerifier, TrustAnchors, VerifiedChain, verify_chain
from identity.claim_constraints import ClaimConstraints
from identity.errors import (
    BindingError,
    CertificateError,
    ClaimConstraintsError,
    IdentityError,
    NumberError,
    PassportError,
    RolesError,
    TNAuthListError,
)
from identity.number import TelephoneNumber
from identity.passport import UnverifiedPassport, parse_passport, sign_passport, verify_signature
from identity.tn_auth_list import Coverage, OneNumber, ServiceProviderCode, TelephoneNumberRange, TNAuthList
from identity.trust import CodeParents, TrustPolicy

__all__ = [
    "BindingError",
    "CertificateError",
    "ChainVerifier",
    "Check",
    "ClaimConstraints",
    "ClaimConstraintsError",
    "ClaimedDisplay",
    "CodeParents",
    "Coverage",
    "DeviceIdentity",
    "DeviceVerifier",
    "Evidence",
    "Expected",
    "IdentityError",
    "MessageContext",
    "NumberError",
    "OneNumber",
    "PassportError",
    "ReceivedMessage",
    "RolesError",
    "ServiceProviderCode",
    "TNAuthList",
    "TNAuthListError",
    "TelephoneNumber",
    "TelephoneNumberRange",
    "TrustAnchors",
    "TrustPolicy",
    "UnverifiedPassport",
    "Verdict",
    "Verification",
    "VerifiedChain",
    "attest",
    "attest_message",
    "claimed_display",
    "group_uri",
    "parse_passport",
    "sign_passport",
    "user_uri",
    "verify",
    "verify_chain",
    "verify_message",
    "verify_signature",
    "x5u_for",
]
