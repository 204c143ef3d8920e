"""JWT claim constraints in certificates: RFC 8226 §8 and the enhanced form of RFC 9118."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self, TypeVar

import msgspec
from cryptography.hazmat import asn1

from identity.errors import ClaimConstraintsError

CLAIM_CONSTRAINTS_SIZE_LIMIT = 4_096  # octets of DER
BASE_CLAIMS = frozenset({"iat", "orig", "dest"})  # RFC 8225 §5: in every PASSporT

T = TypeVar("T")


@asn1.sequence
class _PermittedDER:
    claim: asn1.IA5String
    values: Annotated[list[str], asn1.Size(1, None)]


# `asn1` takes no Size on an OPTIONAL field: `_non_empty` checks SIZE (1..MAX).
@asn1.sequence
class _ConstraintsDER:
    must_include: Annotated[list[asn1.IA5String] | None, asn1.Explicit(0)]
    permitted_values: Annotated[list[_PermittedDER] | None, asn1.Explicit(1)]


@asn1.sequence
class _EnhancedDER:
    must_include: Annotated[list[asn1.IA5String] | None, asn1.Explicit(0)]
    permitted_values: Annotated[list[_PermittedDER] | None, asn1.Explicit(1)]
    must_exclude: Annotated[list[asn1.IA5String] | None, asn1.Explicit(2)]


@dataclass(frozen=True, slots=True)
class ClaimConstraints:
    """What the tokens of a certificate's key must contain, may say, and must not contain."""

    must_include: tuple[str, ...] = ()
    permitted_values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    must_exclude: tuple[str, ...] = ()

    @classmethod
    def decode_8226(cls, der: bytes) -> Self:
        """Decode JWTClaimConstraints. Raises ClaimConstraintsError."""
        decoded = _decode(_ConstraintsDER, der)
        return cls._of(decoded.must_include, decoded.permitted_values, None)

    @classmethod
    def decode_9118(cls, der: bytes) -> Self:
        """Decode EnhancedJWTClaimConstraints. Raises ClaimConstraintsError."""
        decoded = _decode(_EnhancedDER, der)
        return cls._of(decoded.must_include, decoded.permitted_values, decoded.must_exclude)

    @classmethod
    def _of(
        cls,
        must_include: list[asn1.IA5String] | None,
        permitted_values: list[_PermittedDER] | None,
        must_exclude: list[asn1.IA5String] | None,
    ) -> Self:
        if must_include is None and permitted_values is None and must_exclude is None:
            raise ClaimConstraintsError("empty", "claim constraints constrain nothing")
        permitted = _non_empty(permitted_values)
        return cls(
            tuple(name.as_str() for name in _non_empty(must_include)),
            tuple((entry.claim.as_str(), tuple(entry.values)) for entry in permitted),
            tuple(name.as_str() for name in _non_empty(must_exclude)),
        )

    def encode_9118(self) -> bytes:
        """Encode as DER of EnhancedJWTClaimConstraints. Raises ClaimConstraintsError if nothing is constrained."""
        if not (self.must_include or self.permitted_values or self.must_exclude):
            raise ClaimConstraintsError("empty", "claim constraints constrain nothing")
        permitted = [_PermittedDER(claim=asn1.IA5String(c), values=list(v)) for c, v in self.permitted_values]
        return asn1.encode_der(
            _EnhancedDER(
                must_include=[asn1.IA5String(name) for name in self.must_include] or None,
                permitted_values=permitted or None,
                must_exclude=[asn1.IA5String(name) for name in self.must_exclude] or None,
            )
        )

    @property
    def void(self) -> bool:
        """Whether RFC 9118 §4 says to treat the extension as absent: it excludes a claim that every token has."""
        return not BASE_CLAIMS.isdisjoint(self.must_exclude)

    def check(self, claims: Mapping[str, object]) -> None:
        """Raise ClaimConstraintsError unless the claims meet every constraint.

        A permitted value restricts a claim only where it is present (RFC 9118 §4), and matches strings exactly; what is
        no string it matches in canonical form (RFC 8225 §9), so that `rcd` and `rcdi` can be bound (RFC 9795 §6.3).
        """
        for name in self.must_include:
            if name not in claims:
                raise ClaimConstraintsError("must-include", f"the certificate demands the claim {name!a}")
        for name in self.must_exclude:
            if name in claims:
                raise ClaimConstraintsError("must-exclude", f"the certificate forbids the claim {name!a}")
        for name, values in self.permitted_values:
            if name in claims and _text(claims[name]) not in values:
                raise ClaimConstraintsError("permitted-values", f"the certificate forbids this value of {name!a}")


def _text(claim: object) -> str:
    return claim if isinstance(claim, str) else msgspec.json.encode(claim, order="deterministic").decode()


def _decode(kind: type[T], der: bytes) -> T:
    if len(der) > CLAIM_CONSTRAINTS_SIZE_LIMIT:
        raise ClaimConstraintsError("too-large", f"constraints have at most {CLAIM_CONSTRAINTS_SIZE_LIMIT} octets")
    try:
        return asn1.decode_der(kind, der)
    except ValueError as error:
        raise ClaimConstraintsError("malformed", "the claim constraints are not DER of RFC 8226 or RFC 9118") from error


def _non_empty(names: list[T] | None) -> list[T]:
    if names is None:
        return []
    if not names:
        raise ClaimConstraintsError("malformed", "a list of claims is present but empty")
    return names
