"""A reader of JSON Schema 2020-12, for the keywords that our schema uses; any other keyword fails the test."""

from typing import Any

_NOTES = {"title", "description", "default", "discriminator", "format"}
_KINDS = {"object": dict, "array": list, "string": str, "integer": int, "number": float, "boolean": bool}


def invalid(document: dict[str, Any], schema: dict[str, Any], value: Any, at: str = "$") -> str:
    """Why a value is not of this schema; empty if it is."""
    for keyword, wanted in schema.items():
        complaint = "" if keyword in _NOTES else _check(document, schema, keyword, wanted, value, at)
        if complaint:
            return complaint
    return ""


def _check(document: dict[str, Any], schema: dict[str, Any], keyword: str, wanted: Any, value: Any, at: str) -> str:
    match keyword:
        case "$ref":
            return invalid(document, document["$defs"][wanted.removeprefix("#/$defs/")], value, at)
        case "anyOf":
            complaints = [invalid(document, each, value, at) for each in wanted]
            return "" if "" in complaints else " or ".join(complaints)
        case "allOf":
            return "".join(invalid(document, each, value, at) for each in wanted)
        case "items":
            return "".join(invalid(document, wanted, item, f"{at}[{place}]") for place, item in enumerate(value))
        case "properties":
            return "".join(
                invalid(document, inner, value[name], f"{at}.{name}") for name, inner in wanted.items() if name in value
            )
        case "additionalProperties":
            return _others(document, schema, wanted, value, at)
        case "required":
            return "".join(f"{at}.{name} is missing; " for name in wanted if name not in value)
    right = {
        "type": lambda: _is_kind(wanted, value),
        "const": lambda: value == wanted,
        "enum": lambda: value in wanted,
        "minimum": lambda: value >= wanted,
        "maximum": lambda: value <= wanted,
        "contentEncoding": lambda: wanted == "base64",
    }[keyword]()
    return "" if right else f"{at} is {value!r}, not {keyword} {wanted}; "


def _others(document: dict[str, Any], schema: dict[str, Any], wanted: Any, value: Any, at: str) -> str:
    others = {name: inner for name, inner in value.items() if name not in schema.get("properties", {})}
    if wanted is False:
        return "".join(f"{at}.{name} is unknown; " for name in others)
    return "".join(invalid(document, wanted, inner, f"{at}.{name}") for name, inner in others.items())


def _is_kind(wanted: str, value: Any) -> bool:
    if wanted == "null":
        return value is None
    return isinstance(value, _KINDS[wanted]) and (wanted == "boolean" or not isinstance(value, bool))
