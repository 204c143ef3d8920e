"""All key packages of a person, taken away."""

from client.errors import NoKeyPackageError
from client.services.delivery import DeliveryClient
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.elsewhere import account_at
from lab.seams import service
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Claim Bob's key packages until no one-time package is left, and let Carol try to reach him."""
    taker, (_, bob, carol) = (await stage.accomplice()).device, stage.people
    sent = "signed claims, until no one-time key package was left"
    async with stage.world.delivery_service(await stage.world.anchors()) as url:
        await account_at(url, bob)
        async with DeliveryClient(url, taker.key, taker.chain, clock=stage.world.clock) as delivery:
            await delivery.claim_key_packages(bob.number)
        account = carol.session.account
        async with DeliveryClient(url, account.key, account.chain, clock=stage.world.clock) as delivery:
            try:
                await delivery.claim_key_packages(bob.number)
            except NoKeyPackageError as refusal:
                return Outcome(None, f"Nobody can reach Bob: {refusal}", sent=sent, won=True)
    return Outcome(service.LAST_RESORT.guard, "Carol got Bob's last-resort key package.", sent=sent)


ATTACK = Attack(
    "key-package-exhaustion",
    "Use up the key packages",
    "An accomplice claims Bob's key packages until there is none left, so that nobody can add him.",
    service.service("last-resort"),
    run,
    story=(
        "Each one-time key package is handed out once. An accomplice wants to take all of Bob's, so that nobody "
        "can reach him any more. Claims are limited for each claimant and each target, and a device publishes one "
        "package of last resort, which is handed out again and again: Carol can add Bob, who sees nothing of it."
    ),
    has="a genuine number",
    sees="nothing: the package of last resort is handed out",
    without=(service.LAST_RESORT,),
)
