"""Inviting: claim key packages of a number, and believe none of them unchecked."""

import mls_rs

from client.delivery import DeliveryClient
from client.device import number_of
from client.errors import GroupRefusedError
from client.groups import Groups
from client.worker import Worker
from identity.number import TelephoneNumber


async def claim(
    delivery: DeliveryClient, groups: Groups, worker: Worker, number: TelephoneNumber, now: int
) -> list[bytes]:
    """One key package of each device of a number, each valid and for that number, and not revoked.

    Raises NotFoundError if the number has not enrolled, GroupRefusedError if the service hands out something else, or
    if every one is revoked.
    """
    key_packages = await delivery.claim_key_packages(number)
    if not key_packages:
        raise GroupRefusedError(f"the service has no device of {number}", code="no-device")
    for key_package in key_packages:
        await worker.run(check_key_package, groups, key_package, number, now)
    # A number that has moved on has the key packages of both holders there until the old one's certificate ends.
    usable = [each for each in key_packages if not await worker.run(groups.is_revoked, each, now)]
    if not usable:
        raise GroupRefusedError(f"the certificate of {number} was revoked: nobody is added by it", code="revoked")
    return usable


def check_key_package(groups: Groups, key_package: bytes, number: TelephoneNumber, now: int) -> None:
    """Raise GroupRefusedError unless the key package is valid and its owner's number is the one asked for."""
    try:
        owner = number_of(groups.engine.check_key_package(key_package, now))
    except mls_rs.MlsError as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        raise GroupRefusedError(
            f"a key package of {number} is not valid: {error}{cause}", code="key-package"
        ) from error
    if owner != number:
        raise GroupRefusedError(f"the service handed out a key package of {owner} for {number}", code="key-package")
