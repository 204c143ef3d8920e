"""Inviting: claim key packages of a number, and believe none of them unchecked."""

from collections.abc import Awaitable, Callable, Sequence

import mls_rs

from client.defence.reaching import Reaching
from client.errors import AskedFirstError, ClientError, ContactsOnlyError, GroupRefusedError, NoConsentError
from client.services.delivery import DeliveryClient
from client.steps.device import number_of
from client.steps.groups import Groups
from client.steps.wired import Steps
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


class Claims:
    """Gets the key packages of people, and asks those first who want to be asked."""

    def __init__(
        self,
        steps: Steps,
        delivery: DeliveryClient,
        worker: Worker,
        reaching: Reaching,
        *,
        now: Callable[[], int],
        wake: Callable[[], Awaitable[None]],
    ) -> None:
        self._steps = steps
        self._delivery = delivery
        self._worker = worker
        self._reaching = reaching
        self._now = now
        self._wake = wake

    async def of(self, number: TelephoneNumber) -> list[bytes]:
        """The key packages of one number. Raises as `claim` does, and that it was asked first."""
        try:
            return await self._claim(number)
        except NoConsentError as refusal:
            await self._reaching.ask_first(number, refusal)
        return await self._claim(number)

    async def of_all(self, numbers: Sequence[TelephoneNumber], new_keys: bool) -> tuple[list[bytes], list[ClientError]]:
        """Key packages, and why some numbers have none: they are asked first. Raises that if it is all of them."""
        await self._wake()
        key_packages: list[bytes] = []
        unheard: list[ClientError] = []
        for number in dict.fromkeys(numbers):
            try:
                key_packages += await self.of(number)
            except (AskedFirstError, ContactsOnlyError) as error:
                unheard.append(error)
        if unheard and not key_packages:
            raise unheard[0] if len(unheard) == 1 else AskedFirstError(" ".join(map(str, unheard)))
        check = self._steps.continuity.check_invited
        await self._worker.run(check, key_packages, self._now(), new_keys=new_keys)
        return key_packages, unheard

    async def _claim(self, number: TelephoneNumber) -> list[bytes]:
        return await claim(self._delivery, self._steps.groups, self._worker, number, self._now())
