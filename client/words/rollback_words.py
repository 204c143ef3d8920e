"""What is said in a chat when a change of it was taken back."""

from identity.number import TelephoneNumber

UNPROVEN = (
    "the service says that a change of this chat was taken back, and does not show that its members reported it: "
    "this device does not follow. If nothing comes through any more, let the chat be begun anew: "
    "ringtrue chat reset CHAT"
)
NOT_READ = "An entry of this chat could not be read: {why}"
CANNOT_APPLY = (
    "A change of this chat cannot be applied by this device: {why}. It is reported; what you write waits until most "
    "devices have said whether they can."
)
STANDS = (
    "a change of it could not be applied by this device, and stands. If nobody can write in it, begin it anew: "
    "ringtrue chat reset CHAT"
)


def who_changed(number: TelephoneNumber | None, own: TelephoneNumber) -> str:
    """The committer, as the subject of a sentence."""
    if number is None:
        return "Somebody"
    return "Another device of yours" if number == own else str(number)


def nobody_could(who: str, reports: int, of: int) -> str:
    """For a device that could not apply the change either."""
    return (
        f"{who} changed the chat in a way that nobody can apply; {_devices(reports, of)} reported it; "
        "the change was taken back."
    )


def this_one_could(who: str, reports: int, of: int) -> str:
    """For a device that had applied the change."""
    return (
        f"{who} changed the chat, and {_devices(reports, of)} reported that they cannot apply it, although this device "
        "could; the change was taken back for everybody."
    )


def own_change(reports: int, of: int) -> str:
    """For the device that made the change."""
    return (
        f"You changed the chat, and {_devices(reports, of)} reported that they cannot apply it; the change was taken "
        "back. What you wrote since is sent again. If that happens again: ringtrue doctor"
    )


def returned(who: str, reports: int, of: int) -> str:
    """For a device that the change had removed."""
    return (
        f"{who} removed this device by a change that {_devices(reports, of)} reported as one that they cannot apply; "
        "the change was taken back, and this device is in the chat as before."
    )


def withdrawn(reports: int, of: int) -> str:
    """For a device that the change had added."""
    return (
        f"{_devices(reports, of).capitalize()} reported that they cannot apply the change by which this device was "
        "added: it was taken back, and the invitation with it. A member can add this device again."
    )


def _devices(reports: int, of: int) -> str:
    return f"{reports} of {of} device{'' if of == 1 else 's'}"
