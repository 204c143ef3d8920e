"""Enrolment with acme2certifier as the certification authority, and the token authority of ours."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from client.credentials.account import Account
from client.credentials.acme_account import Certifier
from client.credentials.enrolment import EnrolmentClient
from client.enrolling import enrol
from client.session import Session
from identity.authority.app import open_tokens
from identity.authority.wire import ChallengeOpened
from identity.binding import Verdict
from identity.certificates import TrustAnchors
from identity.issuing import create_issuer, create_root
from identity.number import TelephoneNumber
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from lab.serving import listening
from lab.world import COST, NUMBERS, PASSPHRASE, World
from tests.interop.acme_servers import Running, acme2certifier

ALICE, BOB = TelephoneNumber.from_digits("12025550142"), TelephoneNumber.from_digits("12025550143")
CERTIFIED = TNAuthList((TelephoneNumberRange("12025550100", 100),))
DAY = 86_400  # seconds


@dataclass
class Scene:
    """Our services and the other certification authority; our delivery service and token authority trust both roots."""

    world: World
    tokens: str
    other: Running
    anchors: TrustAnchors
    delivery: str

    async def enrol(self, number: TelephoneNumber, certifier: Certifier | None) -> tuple[Path, Account]:
        async def ask_code(_: ChallengeOpened) -> str:
            return self.world.codes.codes[number]

        home = self.world.folder / number.digits
        account = await enrol(
            home,
            PASSPHRASE,
            number,
            authority=self.world.authority_url,
            delivery=self.delivery,
            ask_code=ask_code,
            anchors=self.anchors,
            cost=COST,
            certifier=certifier,
        )
        return home, account


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with World() as world:
        root_key, root = create_root("Another root", int(world.clock()) - 60, 365 * DAY)
        issuer_key, issuer = create_issuer(
            root_key, root, "Another issuer", CERTIFIED, int(world.clock()) - 60, 90 * DAY
        )
        anchors = TrustAnchors((*(await world.anchors()).roots, root))
        with acme2certifier(tmp_path, issuer_key, issuer, root) as other:
            proving = listening(
                lambda url: open_tokens(
                    tmp_path / "tokens", url, world.codes, world.clock, allow=NUMBERS, anchors=lambda _: anchors
                )
            )
            async with world.delivery_service(anchors) as delivery, proving as tokens:
                yield Scene(world, tokens, other, anchors, delivery)


async def test_who_is_certified_elsewhere_is_verified_by_whoever_trusts_that_root(scene: Scene) -> None:
    certifier = Certifier(scene.other.directory, scene.tokens)
    alice_home, alice = await scene.enrol(ALICE, certifier)
    bob_home, bob = await scene.enrol(BOB, None)
    issuers = [x509.load_der_x509_certificate(each.chain[0]).issuer.rfc4514_string() for each in (alice, bob)]
    assert issuers[0] == "CN=Another issuer" != issuers[1]
    async with Session.open(alice_home, PASSPHRASE) as a, Session.open(bob_home, PASSPHRASE) as b:
        await a.maintain()
        await b.maintain()
        chat = await a.create_chat("across", [BOB])
        await a.send(chat.group_id, "certified by another")
        await b.receive()
        shown = [row for row in await b.history(chat.group_id) if row.kind == "received"]
    assert [(row.text, row.verification.verdict) for row in shown] == [("certified by another", Verdict.VERIFIED)]


async def test_a_certificate_from_elsewhere_is_renewed_there_by_the_devices_key(scene: Scene) -> None:
    certifier = Certifier(scene.other.directory, scene.tokens)
    _, account = await scene.enrol(ALICE, certifier)
    async with EnrolmentClient(scene.world.authority_url, acme=account.acme) as authority:
        renewed = await authority.renew(account.key, account.chain, scene.anchors)
        assert authority.acme.url == account.acme.url != ""
    assert renewed.identity.chain.issuer == "Another issuer"
    assert renewed.chain[0] != account.chain[0]
