"""A signed request, sent a second time."""

import httpx
import msgspec

from client.services.delivery import DeliveryClient
from delivery_service.wire import ClaimedKeyPackages
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.recording_transport import Recording
from lab.seams import service
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Record Alice's claim for Bob's key packages on its way, and send the same octets again."""
    account, bob, recording = stage.alice.session.account, stage.people[1].number, Recording()
    async with DeliveryClient(
        account.delivery, account.key, account.chain, clock=stage.world.clock, transport=recording
    ) as delivery:
        await delivery.claim_key_packages(bob)
    async with httpx.AsyncClient() as wire:
        answer = await wire.send(recording.last("/key-packages/claims"))
    sent = "Alice's signed claim, octet for octet"
    if not answer.is_success:
        word = answer.json()["type"].rpartition(":")[2]
        return Outcome(service.service(word), f"{answer.json()['detail']}.", sent=sent)
    won = bool(msgspec.json.decode(answer.content, type=ClaimedKeyPackages).key_packages)
    return Outcome(None, "The service handed out another key package.", sent=sent, won=won)


ATTACK = Attack(
    "replayed-request",
    "Send a request again",
    "Somebody on the way records Alice's signed claim for Bob's key packages and sends it again.",
    service.service("invalid-signature"),
    run,
    story=(
        "Somebody sees requests where their encryption ends, before the delivery service, and has Alice's claim "
        "with its signature and her session. They want to use up Bob's key packages in her name. Each signed "
        "request has a nonce that is accepted once: the second one is refused, and no recipient sees anything."
    ),
    has="a recorded request of Alice's, and her session",
    sees="nothing: the request is refused",
    without=(service.NONCES,),
)
