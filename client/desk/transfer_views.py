"""Files on their way out, as screens and programs see them."""

from typing import TYPE_CHECKING

from client.desk.views import View

if TYPE_CHECKING:
    from client.transfers.uploading import Moving  # loads cryptography, which the first frame does without


class TransferView(View, frozen=True, kw_only=True):
    """A file that is being sent. `done`, `total`: octets of ciphertext; `active`: whether it is at work now."""

    transfer: int
    name: str
    group: str
    done: int
    total: int
    active: bool


def transfer_words(transfer: TransferView) -> str:
    """How large it is, and how far."""
    work = f"{100 * transfer.done // transfer.total} % stored" if transfer.active else "waits for the service"
    return f"{transfer.total:,} octets: {work}"


def transfer_view(moving: "Moving") -> TransferView:
    """What is shown of an upload."""
    return TransferView(
        transfer=moving.id,
        name=moving.name,
        group=moving.group_id.hex(),
        done=moving.done,
        total=moving.total,
        active=moving.active,
    )
