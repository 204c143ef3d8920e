"""Accounts of the cast at a second delivery service, for what uses up limits or key packages there."""

from client.services.delivery import DeliveryClient
from lab.people import Person


async def account_at(url: str, person: Person) -> None:
    """Publish one one-time key package of a person's device, and one of last resort."""
    account, steps, now = person.session.account, person.session.steps, person.session.now()
    made = await person.session.worker.run(steps.joiner.key_packages, 1, account.validity()[1], now)
    async with DeliveryClient(url, account.key, account.chain, clock=person.session.now) as delivery:
        await delivery.upload_key_packages(made)
