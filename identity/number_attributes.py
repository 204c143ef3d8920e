"""What a number's holder declares of it, in its certificate (draft-wendt-stir-cert-tn-attr-ext-00, July 2026).

An attribute limits the numbers of the certificate that carries it, and gives nobody anything. What is absent says
nothing. The draft's object identifier is not assigned yet: TN_ATTRIBUTES_OID is of the arc that anybody may use.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Self

from cryptography.hazmat import asn1
from cryptography.x509.oid import ObjectIdentifier

from identity.der import SEQUENCE, content_of, element
from identity.errors import NumberAttributesError
from identity.tn_auth_list import SERVICE_PROVIDER_CODE_LENGTH_LIMIT

TN_ATTRIBUTES_OID = ObjectIdentifier("2.25.329800735698586629295641978511506172918")
ATTRIBUTES_SIZE_LIMIT = 4_096  # octets of DER
ATTRIBUTES_LIMIT = 32  # of all types
VALUES_LIMIT = 32  # codes or addresses in one attribute
URI_LENGTH_LIMIT = 512  # characters

_CODE = re.compile(rf"[!-~]{{1,{SERVICE_PROVIDER_CODE_LENGTH_LIMIT}}}")
_HTTPS_URI = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?", re.IGNORECASE)
_NULL = bytes((0x05, 0))


class AttributeType(IntEnum):
    """The registry's first entries (draft §9.2)."""

    PLACEMENT_SERVICES = 1
    DO_NOT_ORIGINATE = 2
    DO_NOT_ORIGINATE_MESSAGING = 3
    AUTHORIZED_ORIGINATORS = 4


@asn1.sequence
class _AttributeDER:
    type: int
    value: asn1.TLV


@asn1.sequence
class _AttributesDER:
    """One SEQUENCE around the list, as in tn_auth_list."""

    attributes: Annotated[list[_AttributeDER], asn1.Size(1, ATTRIBUTES_LIMIT)]


@asn1.sequence
class _StringsDER:
    strings: Annotated[list[asn1.IA5String], asn1.Size(1, VALUES_LIMIT)]


@dataclass(frozen=True, slots=True)
class NumberAttributes:
    """The attributes of a certificate's numbers that are known here. Raises NumberAttributesError.

    `placement_services`: where PASSporTs for the numbers are (RFC 8816); nothing here asks them.
    `authorized_originators`: the codes of the only providers that may attest for the numbers; none: the holder has not
    said. It gives those providers nothing.
    """

    do_not_originate: bool = False
    do_not_originate_messaging: bool = False
    authorized_originators: tuple[str, ...] = ()
    placement_services: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not all(map(_CODE.fullmatch, self.authorized_originators)):
            raise NumberAttributesError("originators", "a service provider code has 1 to 64 visible ASCII characters")
        if not all(map(_is_https, self.placement_services)):
            raise NumberAttributesError("placement-services", "a placement service is an absolute https URI")
        if max(len(self.authorized_originators), len(self.placement_services)) > VALUES_LIMIT:
            raise NumberAttributesError("too-many", f"an attribute has at most {VALUES_LIMIT} values")

    @classmethod
    def decode(cls, der: bytes) -> Self:
        """Decode strict DER. Raises NumberAttributesError.

        Unknown types are passed over (draft §3.3), and so is a type that appears twice (§4), and what is no https URI.
        """
        if len(der) > ATTRIBUTES_SIZE_LIMIT:
            raise NumberAttributesError("too-large", f"number attributes have at most {ATTRIBUTES_SIZE_LIMIT} octets")
        try:
            decoded = asn1.decode_der(_AttributesDER, element(SEQUENCE, der)).attributes
            values = {each.type: _encoded(each.value) for each in decoded}
            counts = Counter(each.type for each in decoded)
            once = {type_: value for type_, value in values.items() if counts[type_] == 1}
            return cls(
                _is_there(once.get(AttributeType.DO_NOT_ORIGINATE)),
                _is_there(once.get(AttributeType.DO_NOT_ORIGINATE_MESSAGING)),
                tuple(dict.fromkeys(_strings(once.get(AttributeType.AUTHORIZED_ORIGINATORS)))),
                tuple(filter(_is_https, _strings(once.get(AttributeType.PLACEMENT_SERVICES)))),
            )
        except ValueError as error:
            raise NumberAttributesError("malformed", "the number attributes are not DER of the draft's §3.2") from error

    def words(self) -> list[str]:
        """What is declared, for people."""
        found = []
        if self.do_not_originate:
            found.append("makes no calls")
        if self.do_not_originate_messaging:
            found.append("sends no messages")
        if self.authorized_originators:
            found.append(f"providers speak for it only if they are {', '.join(self.authorized_originators)}")
        if self.placement_services:
            found.append(f"has PASSporTs at {', '.join(self.placement_services)}")
        return found

    def encode(self) -> bytes:
        """Encode as DER, in the order of the types. Raises NumberAttributesError if nothing is declared."""
        attributes = [element(SEQUENCE, asn1.encode_der(int(type_)) + value) for type_, value in self._values()]
        if not attributes:
            raise NumberAttributesError("empty", "there is at least one attribute")
        return element(SEQUENCE, b"".join(attributes))

    def _values(self) -> Iterable[tuple[AttributeType, bytes]]:
        if self.placement_services:
            yield AttributeType.PLACEMENT_SERVICES, _encoded_strings(self.placement_services)
        if self.do_not_originate:
            yield AttributeType.DO_NOT_ORIGINATE, _NULL
        if self.do_not_originate_messaging:
            yield AttributeType.DO_NOT_ORIGINATE_MESSAGING, _NULL
        if self.authorized_originators:
            yield AttributeType.AUTHORIZED_ORIGINATORS, _encoded_strings(self.authorized_originators)


def _is_there(value: bytes | None) -> bool:
    if value not in (None, _NULL):
        raise ValueError("an attribute that has no value has one")
    return value is not None


def _strings(value: bytes | None) -> list[str]:
    if value is None:
        return []
    return [each.as_str() for each in asn1.decode_der(_StringsDER, element(SEQUENCE, value)).strings]


def _encoded_strings(strings: Iterable[str]) -> bytes:
    return content_of(asn1.encode_der(_StringsDER(strings=[asn1.IA5String(each) for each in strings])))


def _encoded(value: asn1.TLV) -> bytes:
    return element(value.tag_bytes[0], bytes(value.data))


def _is_https(text: str) -> bool:
    return len(text) <= URI_LENGTH_LIMIT and _HTTPS_URI.fullmatch(text) is not None
