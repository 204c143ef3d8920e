"""A list of revocations in the authority's name, signed by another issuer."""

from cryptography import x509

from client.credentials.enrolment import EnrolmentClient
from client.credentials.revocations import DeviceState
from identity.errors import RevocationError
from identity.status.revocation import Reason, sign_crl
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.readings import NOTICED
from lab.seams import revocations
from lab.stage import Stage

A_DAY = 86_400  # seconds
SENT = "a list in the name of Alice's issuer, which names Alice's certificate, signed by another issuer"


async def run(stage: Stage) -> Outcome:
    """Hand Carol a list that revokes Alice, with the issuer's name and key identifier, by Mallory's issuer's key."""
    alice, carol = stage.alice.session, stage.people[2].session
    leaf, issuer = (x509.load_der_x509_certificate(der) for der in alice.account.chain[:2])
    known, now = await carol.refresh_revocations(), stage.now()
    assert known is not None, "the authority always has a list"
    key, entries = (await stage.bribed()).carrier.issuer_key, {leaf.serial_number: (now, Reason.key_compromise)}
    forged = sign_crl(key, issuer, entries, number=known.number, now=now, lifetime=A_DAY)
    lists = carol.steps.revocations
    try:
        await carol.worker.run(lists.adopt, forged, now)
    except RevocationError as refusal:
        return Outcome(revocations.revocations(refusal.code), f"{refusal}.", NOTICED, sent=SENT)
    state = await carol.worker.run(lists.state, alice.account.chain, now)
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as authority:
        genuine = await authority.revocation_list()
    assert genuine is not None, "the authority always has a list"
    await carol.worker.run(lists.adopt, genuine, stage.now())
    return Outcome(None, "Carol's client shows Alice's device as revoked.", sent=SENT, won=state is DeviceState.REVOKED)


ATTACK = Attack(
    "foreign-crl",
    "Revoke somebody else",
    "Mallory, who has an issuer of her own, hands Carol a list of revocations that names Alice's certificate.",
    revocations.SIGNER.guard,
    run,
    story=(
        "Mallory wants Alice's friends to hold back what Alice writes. She runs an issuer whom many trust for a range "
        "of numbers, and signs a list of revocations that names Alice's certificate and gives the name and the key "
        "identifier of Alice's issuer. A list says something only of certificates of the very key that has signed it: "
        "Carol's client refuses it, and Alice stays verified."
    ),
    has="an issuer's key, and the way to the authority",
    sees="a line: the list is refused; nothing changes",
    without=(revocations.SIGNER,),
)
