"""An authority counts reports that a frank alone supports, where its operator believes the delivery service."""

import base64

import msgspec
import pytest

from identity.authority.errors import HubError
from identity.authority.hubs import hub_keys
from identity.authority.report_policy import ReportPolicy
from identity.authority.wire import ReportRequest, ReportTaken
from identity.number import TelephoneNumber
from identity.reports.franking import FrankingContext, FrankingKey, franking_tag
from identity.reports.number_status import NumberStatus
from identity.reports.report import Evidence, EvidenceItem, ReportKind, sign_report
from tests.identity.authority.conftest import BASE_URL, Authority, Device, Opener, ok, refusal

SPAMMER, BOB = "+12025550143", TelephoneNumber.from_digits("12025550144")
ROOM = "mimi://delivery.example/g/cm9vbQ"
FRAMED = b"\x18application/mimi-content\x00\x16\x87\x50" + bytes(16) + b"spam"
HUB = FrankingKey.generate()
BELIEVED = ReportPolicy(hub_keys={HUB.public.key_id: HUB.public})


def item(now: int, key: FrankingKey = HUB, sender: str = SPAMMER) -> EvidenceItem:
    context = FrankingContext(f"mimi://delivery.example/u/{sender}", ROOM, now * 1000)
    frank = key.frank(franking_tag(FRAMED), context)
    return EvidenceItem(
        FRAMED, "", (), ROOM, 0, 0, now, sender=context.sender_uri, accepted_ms=context.accepted_ms, frank=frank
    )


async def report(authority: Authority, *items: EvidenceItem):
    device, now = Device(BOB), authority.clock.now
    chain = (await authority.enrol(device)).chain
    evidence = Evidence(items, ReportKind.SPAM).encode()
    return await authority.post(
        "/v1/reports", ReportRequest.of(sign_report(device.key, chain, evidence, BASE_URL, now))
    )


async def test_a_report_by_frank_is_counted(open_at: Opener):
    authority = await open_at(policy=BELIEVED)
    taken = msgspec.json.decode(ok(await report(authority, item(authority.clock.now))), type=ReportTaken)
    assert (taken.counted, taken.status) == (True, NumberStatus.REPORTED)


@pytest.mark.parametrize(
    ("policy", "key"),
    [(None, HUB), (BELIEVED, FrankingKey.generate())],
    ids=["a service that nobody named", "a key of the reporter's own"],
)
async def test_a_frank_that_is_not_believed_is_refused(open_at: Opener, policy: ReportPolicy, key: FrankingKey):
    authority = await open_at(policy=policy)
    word, problem = refusal(await report(authority, item(authority.clock.now, key)))
    assert (word, problem.check) == ("report-refused", 8)
    assert "no service that is known here" in problem.detail


async def test_what_was_accepted_long_ago_is_refused(open_at: Opener):
    authority = await open_at(policy=BELIEVED)
    old = item(authority.clock.now - 31 * 86_400)
    _, problem = refusal(await report(authority, old))
    assert problem.check == 9


async def test_the_same_message_twice_in_a_report_is_refused(open_at: Opener):
    authority = await open_at(policy=BELIEVED)
    again = item(authority.clock.now)
    _, problem = refusal(await report(authority, again, again))
    assert problem.check == 10


async def test_messages_of_two_numbers_are_no_report(open_at: Opener):
    authority = await open_at(policy=BELIEVED)
    now = authority.clock.now
    _, problem = refusal(await report(authority, item(now), item(now, sender="+12025550199")))
    assert problem.check == 7


def test_a_key_file_names_a_service(tmp_path):
    file = tmp_path / "hub"
    file.write_bytes(base64.b64encode(HUB.public.point) + b"\n")
    assert hub_keys([str(file)]) == {HUB.public.key_id: HUB.public}
    for octets in (b"", b"AAAA", b"\xff", b"not base64!"):
        file.write_bytes(octets)
        with pytest.raises(HubError, match="franking-key"):
            hub_keys([str(file)])


def test_a_service_that_cannot_be_asked_is_named():
    with pytest.raises(HubError, match=r"http://127\.0\.0\.1:1"):
        hub_keys(["http://127.0.0.1:1"])
