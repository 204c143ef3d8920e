"""An old list of statuses."""

from client.credentials.enrolment import EnrolmentClient
from identity.errors import StatusListError
from identity.reports.number_status import NumberStatus
from identity.reports.report import ReportKind
from lab.approach import approach
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.readings import NOTICED
from lab.seams import witness
from lab.stage import Stage

SENT = "the list that the authority had signed before the report"


async def run(stage: Stage) -> Outcome:
    """Keep the list from before a report, and hand it to Carol after she has seen the present one."""
    _, bob, carol = stage.people
    spammer, statuses = await stage.accomplice(), carol.session.steps.statuses
    async with EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as authority:
        old = await authority.status_list()
    assert old is not None, "the authority always has a list"
    written = (await approach(spammer, bob, "Last chance, today only!")).message
    assert written is not None, "what a stranger writes stands behind the request"
    await bob.session.report([written.id], ReportKind.SPAM)
    await carol.session.refresh_statuses()
    try:
        await carol.session.worker.run(statuses.adopt, old, stage.now())
    except StatusListError as refusal:
        return Outcome(witness.STATUS_SERIAL.guard, f"{refusal}.", NOTICED, sent=SENT)
    status = statuses.of(spammer.number, stage.now())
    await carol.session.refresh_statuses()
    return Outcome(None, "Carol's client has taken the old list.", sent=SENT, won=status is NumberStatus.CLEAR)


ATTACK = Attack(
    "rolled-back-list",
    "Hand out yesterday's list",
    "Somebody on the way to the authority hands Carol the signed list from before a number was reported.",
    witness.STATUS_SERIAL.guard,
    run,
    story=(
        "A spammer's number is on the authority's list, and a friend of his carries Carol's questions to the "
        "authority. A list is signed, so he cannot change it, and hands her an older one that was signed as well. "
        "Lists count upwards: Carol's client keeps the one that it has, and says that the list could not be "
        "refreshed."
    ),
    has="the way to the authority, and an old signed list",
    sees="a line: the list could not be refreshed; the number stays reported",
    without=(witness.STATUS_SERIAL,),
)
