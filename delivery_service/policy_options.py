"""The options by which an operator decides what `policy` says."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urljoin

import click

from delivery_service.policy import DAY, Policy
from delivery_service.wire import RETENTION
from delivery_service.wire.duties import RETENTION_LEAST, RETENTION_MOST
from identity.groups.eviction import IDLE_LEAST, IDLE_MOST

_CRL = "v1/crl"  # of an authority (identity.authority.wire)


def governed(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --retention, --idle and --revocations to a command that has --authority, as its `policy`."""

    @wraps(command)
    def with_policy(
        *, retention: int, idle: int | None, revocations: tuple[str, ...], authority: str | None, **others: Any
    ) -> Any:
        lists = (*revocations, *([] if authority is None else [urljoin(f"{authority}/", _CRL)]))
        policy = Policy(retention * DAY, (idle or 0) * DAY, tuple(dict.fromkeys(lists)))
        return command(authority=authority, policy=policy, **others)

    kept = click.option(
        "--retention",
        type=click.IntRange(RETENTION_LEAST // DAY, RETENTION_MOST // DAY),
        default=RETENTION // DAY,
        show_default=True,
        help="Days that messages and attachments are kept. A device that is away for longer misses them.",
    )
    gone = click.option(
        "--idle",
        type=click.IntRange(IDLE_LEAST // DAY, IDLE_MOST // DAY),
        help="Propose to remove devices that were away for so many days, in chats that want it.  [default: nobody]",
    )
    lists = click.option(
        "--revocations",
        multiple=True,
        metavar="URL|FILE",
        help="A list of revoked certificates to go by, beside the --authority's; may be repeated.",
    )
    return kept(gone(lists(with_policy)))
