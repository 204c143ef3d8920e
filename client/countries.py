"""The country of a telephone number, in words.

`phonenumbers` has names too, beside 200 MB of places that it loads with them; ours are in countries.txt, one region
code (ISO 3166, as `phonenumbers` gives it) with its name in each line.
"""

from functools import cache
from importlib.resources import files

import phonenumbers

from identity.number import TelephoneNumber


def country(number: TelephoneNumber) -> str:
    """Where the number's plan places it, empty if it belongs to no country or to several."""
    try:
        parsed = phonenumbers.parse(number.e164)
    except phonenumbers.NumberParseException:
        return ""
    region = phonenumbers.region_code_for_number(parsed)
    if region is None:
        regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
        region = regions[0] if len(regions) == 1 else ""
    return _names().get(region, "")


def fits_plan(number: TelephoneNumber) -> bool:
    """Whether the number has a form that is in use; the plans change, so this is a hint and no more."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number.e164))
    except phonenumbers.NumberParseException:
        return False


@cache
def _names() -> dict[str, str]:
    lines = files("client").joinpath("countries.txt").read_text("utf-8").splitlines()
    return {line[:2]: line[3:] for line in lines}
