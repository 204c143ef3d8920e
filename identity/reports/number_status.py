"""What an authority says of a number's conduct, as far as verified reports show it."""

from enum import StrEnum


class NumberStatus(StrEnum):
    """The published status of a number; every status but `clear` ends by itself."""

    CLEAR = "clear"
    REPORTED = "reported"  # at least one verified report
    WITHDRAWN = "withdrawn"  # so many verified reports that its certificates are not renewed for a while
