"""Numbers, people, times and troubles in the words of the screens; names come in already made safe."""

from datetime import datetime, timedelta

from client.failures import Expected, failure, hint_inside
from client.formats.text import NAME_CELLS_LIMIT, safe_text
from client.words.spelling import counted, shown_number


def person(e164: str, name: str | None) -> str:
    """A number, always whole, and behind it what this account calls it."""
    number = shown_number(e164)
    return f"{number}  {name} (your contact)" if name else number


def shortened_name(typed: str, kept: str | None) -> str:
    """What was left out of a name that a person typed; empty if nothing was."""
    written = " ".join(safe_text(typed).text.split())
    if written == (kept or ""):
        return ""
    signs = "".join(dict.fromkeys(each for each in written if each not in f"{kept or ''} "))
    what = f"Left out of the name: {signs}" if signs else f"The name was cut to {NAME_CELLS_LIMIT} cells."
    return f"{what}  It is now: {kept}" if kept else f"{what}  Nothing of it is left."


def day(moment: datetime) -> str:
    """A date in this computer's time zone: 9 Jan 2027."""
    local = moment.astimezone()
    return f"{local.day} {local:%b %Y}"


def day_and_time(moment: datetime) -> str:
    """A time in this computer's time zone: 9 Jan 2027 18:05:09."""
    return f"{day(moment)} {moment.astimezone():%H:%M:%S}"


def minute(moment: datetime) -> str:
    """The same without seconds: 9 Jan 2027 18:05."""
    return f"{day(moment)} {moment.astimezone():%H:%M}"


def span(seconds: int) -> str:
    """A length of time in one or two units: 3 days, 2 min 5 s."""
    length = timedelta(seconds=abs(seconds))
    if length.days:
        return counted(length.days, "day")
    hours, rest = divmod(length.seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def trouble(error: Expected) -> str:
    """What went wrong and what to do about it."""
    wrong = failure(error)
    words = wrong.detail.strip()
    sentence = words if "/" in words.partition(" ")[0] else words[:1].upper() + words[1:]  # addresses and paths stay
    if not sentence.endswith((".", "?")):
        sentence += "."
    return f"{sentence} {hint_inside(wrong.hint)}".strip()
