"""Whom an account believes: what may be imported, what a change does in a session that runs, and what a chat says."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from client.credentials.anchor_files import IMPORT_LIMIT, PolicyFile, examine, read_trust
from client.credentials.trust import DIGITS_AT_LEAST
from client.credentials.trust_words import footing_words, trust_words
from client.desk.desk import Desk, open_desk
from client.doctor import look_at_roots
from client.errors import TrustError
from client.records.message import Kind
from client.storage.home import Home
from identity.authority.keys import AuthorityKeys, read_keys
from identity.certificates import verify_chain
from identity.errors import CertificateError, NumberError, StatusListError
from identity.issuing import create_issuer, create_root, issue_device_certificate
from identity.number import TelephoneNumber
from identity.reports.status_list import encode_entries, sign_status_list
from identity.tn_auth_list import TelephoneNumberRange, TNAuthList
from identity.trust import CodeParents, TrustAnchors, TrustPolicy, key_hash
from tests.client.conftest import AUTHORITY, PASSPHRASE, World

ALICE, BOB, CAROL = (TelephoneNumber.from_digits(f"1202555014{n}") for n in (2, 3, 4))
NOW = 1_780_000_000
YEAR = 365 * 86_400
NUMBERS = TNAuthList((TelephoneNumberRange("12025550100", 100),))


def pem(*certificates: x509.Certificate) -> str:
    return "".join(certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates)


def fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()


ROOT_KEY, ROOT = create_root("Another root", NOW, YEAR)
ISSUER_KEY, ISSUER = create_issuer(ROOT_KEY, ROOT, "Another issuer", NUMBERS, NOW, YEAR)


@pytest.fixture
async def desks(world: World) -> AsyncIterator[list[Desk]]:
    """Alice and Bob in a chat."""
    async with AsyncExitStack() as stack:
        found = []
        for number in (ALICE, BOB):
            await world.enrol(number)
            opening = open_desk(
                world.home(number), PASSPHRASE, clock=world.clock, transport=world.network, jitter=0, follow=False
            )
            found.append(await stack.enter_async_context(opening))
            await found[-1].device.sync()
        yield found


async def talking(alice: Desk, bob: Desk) -> str:
    await bob.people.know(ALICE.e164)
    chat = await alice.chats.direct(BOB.e164)
    await bob.device.sync()
    return chat.group


async def heard(alice: Desk, bob: Desk, group: str, text: str) -> str:
    """Send a text to Bob; returns the verdict on it there."""
    await alice.messages.send(group, text)
    await alice.device.sync()
    await bob.device.sync()
    message = (await bob.messages.page(group))[-1]
    assert message.text == text
    assert message.proof is not None
    return message.proof.verdict


async def notices(desk: Desk, group: str) -> list[str]:
    return [each.text for each in await desk.messages.page(group) if each.kind == Kind.NOTICE]


def authority_keys(world: World) -> AuthorityKeys:
    return read_keys(world.folder / "authority")


async def test_what_an_account_enrolled_with_are_its_first_roots(world: World, desks: list[Desk]) -> None:
    (alice, _), keys = desks, authority_keys(world)
    found = await alice.trust.show()
    (anchor,) = found.anchors
    assert (anchor.fingerprint, anchor.imported, anchor.valid) == (fingerprint(keys.roots[0]), False, True)
    assert found.fingerprint == TrustAnchors(keys.roots).fingerprint.hex() == (await alice.device.account()).anchors
    assert (found.non_ecdsa_issuers, found.code_parents, found.scts, found.trouble) == (False, "admit", 0, "")


async def test_a_change_takes_effect_at_once_and_old_verdicts_say_by_which_set_they_were_made(
    world: World, desks: list[Desk]
) -> None:
    alice, bob = desks
    group = await talking(alice, bob)
    own = authority_keys(world).roots[0]
    assert await heard(alice, bob, group, "before") == "verified"
    before = (await bob.trust.show()).fingerprint

    await bob.trust.add(pem(ROOT), [fingerprint(ROOT)])
    changed = await bob.trust.remove(fingerprint(own))
    assert changed.fingerprint == TrustAnchors((ROOT,)).fingerprint.hex()
    assert "own certificate does not count" in trust_words(changed)
    await alice.messages.send(group, "between")
    await alice.device.sync()
    await bob.device.sync()
    (held,) = await bob.messages.quarantine()
    assert held.proof is not None
    assert (held.proof.verdict, held.proof.check.name) == ("failed", "chain")
    restored = await bob.trust.add(pem(own), [fingerprint(own)])
    assert await heard(alice, bob, group, "after") == "verified"

    rows = {each.text: each.row for each in await bob.messages.page(group)}
    assert await evidence_of(bob, rows["before"]) == before
    assert await evidence_of(bob, rows["after"]) == restored.fingerprint
    assert len({before, changed.fingerprint, restored.fingerprint}) == 3
    (still,) = await bob.messages.quarantine()
    assert still.proof == held.proof, "what was found under another trust stays as it was found"


async def evidence_of(desk: Desk, row: int) -> str:
    """The set of anchors that the kept verdict on a message names."""
    steps = desk.session.steps
    message = await desk.session.worker.run(steps.history.get, row)
    assert message.verification is not None
    assert message.verification.evidence is not None
    return message.verification.evidence.anchors.hex()


async def test_a_root_that_is_removed_stays_removed(world: World, desks: list[Desk]) -> None:
    alice = desks[0]
    own = (await alice.trust.show()).anchors[0].fingerprint
    with pytest.raises(TrustError) as refused:
        await alice.trust.remove(own)
    assert refused.value.code == "last-anchor"
    footing = await alice.trust.footing(own)
    assert (footing.own, footing.last) == (True, True)
    assert "last root" in footing_words(footing)
    emptied = await alice.trust.remove(own[:DIGITS_AT_LEAST], last=True)
    assert emptied.anchors == []
    again = type(alice.session.steps.trusting.kept)(alice.session.steps.store)
    assert again.anchors() == []


async def test_removing_says_who_loses_their_footing(world: World, desks: list[Desk]) -> None:
    alice, bob = desks
    await talking(alice, bob)
    own = (await bob.trust.show()).anchors[0].fingerprint
    with_one = await bob.trust.footing(own)
    assert (with_one.numbers, len(with_one.chats)) == ([ALICE.e164, BOB.e164], 1)
    await bob.trust.add(pem(ROOT), [fingerprint(ROOT)])
    unneeded = await bob.trust.footing(fingerprint(ROOT))
    assert (unneeded.numbers, unneeded.chats, unneeded.own, unneeded.last) == ([], [], False, False)
    assert "No chat of yours depends on it." in footing_words(unneeded)


async def test_chats_name_the_founders_set_and_members_with_another_notice_it(desks: list[Desk]) -> None:
    alice, bob = desks
    await bob.trust.add(pem(ROOT), [fingerprint(ROOT)])
    group = await talking(alice, bob)
    named = await bob.trust.group(group)
    assert (named.named, named.same) == ((await alice.trust.show()).fingerprint, False)
    assert (await alice.trust.group(group)).same
    joined = [each for each in await notices(bob, group) if "begun with other trust anchors" in each]
    assert [named.named[:8] in each for each in joined] == [True]
    assert await heard(alice, bob, group, "it works on") == "verified"

    await bob.trust.remove(fingerprint(ROOT))
    assert (await bob.trust.group(group)).same
    assert (await notices(bob, group))[-1] == "Your trust anchors are now those of this chat."
    await alice.trust.policy(code_leaves=False)
    changed = (await notices(alice, group))[-1]
    assert changed.startswith("Your trust anchors changed")
    assert len([each for each in await notices(bob, group) if "trust anchors" in each]) == 2
    await alice.trust.policy(unknown_policies=False)
    assert (await notices(alice, group))[-1] == changed, "still another set: nothing new to say"


async def test_the_lines_come_once_for_each_chat(desks: list[Desk]) -> None:
    alice, bob = desks
    group = await talking(alice, bob)
    assert [each for each in await notices(bob, group) if "trust anchors" in each] == []


async def test_below_a_pinned_root_another_issuer_counts_no_more(world: World, desks: list[Desk]) -> None:
    alice = desks[0]
    keys, now = authority_keys(world), int(world.clock.now)
    other_key, other = create_issuer(keys.root_key, keys.roots[0], "Second issuer", NUMBERS, now, YEAR)
    leaf = issue_device_certificate(other_key, other, ec.generate_private_key(ec.SECP256R1()).public_key(), CAROL, now)
    chain = [each.public_bytes(Encoding.DER) for each in (leaf, other)]
    steps = alice.session.steps
    assert verify_chain(chain, steps.groups.trust, now).number == CAROL

    pinned = await alice.trust.pin()
    assert [pin.issuer for anchor in pinned.anchors for pin in anchor.pins] == [key_hash(keys.issuer).hex()]
    assert pinned.trouble == ""
    with pytest.raises(CertificateError) as refused:
        steps.groups.verifier.chains.verify(chain, now)
    assert refused.value.code == "not-pinned"
    await alice.trust.pin(pem(other))
    assert steps.groups.verifier.chains.verify(chain, now).number == CAROL
    await alice.trust.unpin(key_hash(keys.issuer).hex()[:12])
    assert "own certificate does not count" in trust_words(await alice.trust.show())
    unpinned = await alice.trust.unpin(key_hash(other).hex())
    assert (unpinned.trouble, unpinned.anchors[0].pins) == ("", ())
    for unknown in (key_hash(other).hex(), "xyz", "ab"):
        with pytest.raises(TrustError):
            await alice.trust.unpin(unknown)


async def test_only_an_issuer_below_a_root_of_ones_own_is_pinned(desks: list[Desk]) -> None:
    alice = desks[0]
    for text in (pem(ISSUER), pem(ROOT), "nonsense"):
        with pytest.raises(TrustError) as refused:
            await alice.trust.pin(text)
        assert refused.value.code == "not-an-issuer"


async def test_a_pin_goes_with_its_root(desks: list[Desk], world: World) -> None:
    alice = desks[0]
    world.clock.now = NOW
    await alice.trust.add(pem(ROOT), [fingerprint(ROOT)])
    pinned = await alice.trust.pin(pem(ISSUER))
    assert [len(anchor.pins) for anchor in pinned.anchors] == [0, 1]
    await alice.trust.remove(fingerprint(ROOT))
    back = await alice.trust.add(pem(ROOT), [fingerprint(ROOT)])
    assert [len(anchor.pins) for anchor in back.anchors] == [0, 0]


async def test_a_list_of_numbers_by_another_issuer_below_the_same_root_is_not_believed(
    world: World, desks: list[Desk]
) -> None:
    alice = desks[0]
    keys, now = authority_keys(world), int(world.clock.now)
    other_key, other = create_issuer(keys.root_key, keys.roots[0], "Second issuer", NUMBERS, now, YEAR)
    body = encode_entries({})
    signed = {
        issuer: sign_status_list(
            key, certificate, authority=AUTHORITY, body=body, serial=10**9, now=now, lifetime=3_600
        ).encode()
        for issuer, key, certificate in (("own", keys.issuer_key, keys.issuer), ("other", other_key, other))
    }
    adopt = alice.session.steps.statuses.adopt
    with pytest.raises(StatusListError) as refused:
        await alice.session.worker.run(adopt, signed["other"], now)
    assert refused.value.code == "signer"
    assert (await alice.session.worker.run(adopt, signed["own"], now)).serial == 10**9
    await alice.trust.pin(pem(other))
    await alice.trust.pin()
    later = sign_status_list(
        other_key, other, authority=AUTHORITY, body=body, serial=10**9 + 1, now=now, lifetime=3_600
    )
    assert (await alice.session.worker.run(adopt, later.encode(), now)).serial == 10**9 + 1
    await alice.trust.unpin(key_hash(other).hex())
    assert alice.session.steps.statuses.known is None, "what a signer said who is not believed now is not used"


async def test_a_policy_changes_the_sets_name_and_is_read_beside_the_store(world: World, desks: list[Desk]) -> None:
    alice = desks[0]
    spki = ISSUER_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    await alice.trust.code("1234", ["+1202555"])
    await alice.trust.log("A log", spki)
    await alice.trust.pin()
    found = await alice.trust.policy(
        non_ecdsa_issuers=True, code_parents="directory", code_leaves=False, unknown_policies=False, scts=1,
        uri_identities=True,
    )  # fmt: skip
    assert [(each.code, each.prefixes) for each in found.codes] == [("1234", ["+1202555"])]
    used = alice.session.steps.groups.trust
    assert used.policy.code_parents is CodeParents.DIRECTORY
    beside = read_trust(Home(world.home(ALICE)))
    assert beside.policy == used.policy
    assert beside.fingerprint.hex() == used.fingerprint.hex() == found.fingerprint
    assert look_at_roots(Home(world.home(ALICE))).words == found.fingerprint
    assert oct(Home(world.home(ALICE)).trust_policy.stat().st_mode & 0o777) == "0o600"
    with pytest.raises(TrustError) as refused:
        await alice.trust.policy(scts=2)
    assert refused.value.code == "unknown-log"
    assert alice.session.steps.groups.trust == used, "what is refused changes nothing"
    with pytest.raises(TrustError):
        await alice.trust.log("A log")
    await alice.trust.policy(scts=0)
    assert (await alice.trust.log("A log")).logs == []
    assert (await alice.trust.code("1234", [])).codes == []


async def test_only_roots_that_were_agreed_to_are_imported(world: World, desks: list[Desk]) -> None:
    alice = desks[0]
    world.clock.now = NOW
    (shown,) = await alice.trust.examine(pem(ROOT))
    assert (shown.subject, shown.known, shown.fingerprint) == ("CN=Another root", False, fingerprint(ROOT))
    for agreed in ([], ["00" * 32], [fingerprint(ROOT), "00" * 32]):
        with pytest.raises(TrustError) as refused:
            await alice.trust.add(pem(ROOT), agreed)
        assert refused.value.code == "trust-not-agreed"
    await alice.trust.add(pem(ROOT), [fingerprint(ROOT)])
    assert [each.known for each in await alice.trust.examine(pem(ROOT))] == [True]
    assert [each.imported for each in (await alice.trust.add(pem(ROOT), [fingerprint(ROOT)])).anchors] == [False, True]


async def test_what_is_wrong_with_a_code_or_a_log_is_said(desks: list[Desk]) -> None:
    alice = desks[0]
    before = await alice.trust.show()
    with pytest.raises(NumberError):
        await alice.trust.code("1234", ["+0"])
    with pytest.raises(TrustError):
        await alice.trust.log("A log", "no key")
    p384 = ec.generate_private_key(ec.SECP384R1()).public_key()
    with pytest.raises(Exception, match="P-256"):
        await alice.trust.log("A log", p384.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())
    assert await alice.trust.show() == before


def self_signed(
    name: str = "Root",
    *,
    ca: bool = True,
    signs: bool = True,
    ski: bool = True,
    by: ec.EllipticCurvePrivateKey = ROOT_KEY,
) -> x509.Certificate:
    """A certificate of ROOT_KEY that is its own issuer, with any fault."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only", "crl_sign"), False
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(ROOT_KEY.public_key())
        .serial_number(7)
        .not_valid_before(datetime.fromtimestamp(NOW - 100, UTC))
        .not_valid_after(datetime.fromtimestamp(NOW + YEAR, UTC))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, **usage), critical=True)
    )
    if ski:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(ROOT_KEY.public_key()), False)
    return builder.sign(by, hashes.SHA256())


FAULTS: dict[str, tuple[str, int, str]] = {
    "not PEM": ("-----BEGIN", NOW, "malformed"),
    "nothing": ("", NOW, "malformed"),
    "a damaged certificate": (pem(ROOT).replace("M", "N", 3), NOW, "malformed"),
    "no CA": (pem(self_signed(ca=False)), NOW, "no-ca"),
    "may not certify": (pem(self_signed(signs=False)), NOW, "no-ca"),
    "no key identifier": (pem(self_signed(ski=False)), NOW, "no-ca"),
    "an issuer": (pem(ISSUER), NOW, "not-a-root"),
    "signed by another key": (pem(self_signed(by=ISSUER_KEY)), NOW, "not-a-root"),
    "ended": (pem(ROOT), NOW + 2 * YEAR, "expired"),
    "not begun": (pem(ROOT), NOW - YEAR, "expired"),
    "one of two is wrong": (pem(ROOT, ISSUER), NOW, "not-a-root"),
    "too many": (pem(*(self_signed(str(place)) for place in range(IMPORT_LIMIT + 1))), NOW, "too-many"),
}


@pytest.mark.parametrize(("text", "now", "code"), FAULTS.values(), ids=FAULTS.keys())
def test_what_may_be_no_root_is_refused(text: str, now: int, code: str) -> None:
    with pytest.raises(TrustError) as refused:
        examine(text.encode(), now)
    assert refused.value.code == code
    assert refused.value.hint
    assert str(refused.value).isprintable()


def test_a_file_may_hold_several_roots_and_one_of_them_twice() -> None:
    other = self_signed("Other")
    assert examine(pem(ROOT, other, ROOT).encode(), NOW) == (ROOT, other)


@given(st.binary(max_size=300))
def test_octets_of_anybody_are_roots_or_refused(octets: bytes) -> None:
    with pytest.raises(TrustError):
        examine(octets, NOW)


@given(st.binary(max_size=200))
def test_a_damaged_copy_of_the_policy_is_refused(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    home.anchors.write_bytes(ROOT.public_bytes(Encoding.PEM))
    home.trust_policy.write_bytes(b"[" + octets)
    with pytest.raises(CertificateError):
        read_trust(home)
    assert not look_at_roots(home).right


def test_without_a_copy_of_the_policy_it_is_the_default_one(tmp_path) -> None:
    home = Home(tmp_path)
    home.anchors.write_bytes(ROOT.public_bytes(Encoding.PEM))
    assert read_trust(home) == TrustAnchors((ROOT,), TrustPolicy())
    assert PolicyFile() == PolicyFile(code_parents=CodeParents.ADMIT)


async def test_names_in_roots_are_made_harmless(world: World, desks: list[Desk]) -> None:
    alice = desks[0]
    world.clock.now = NOW
    hostile = self_signed("ev\x1b[31mil ‮[bold]name\n✓ known")
    (shown,) = await alice.trust.examine(pem(hostile))
    assert "\n" not in shown.subject
    assert "\x1b" not in shown.subject
    assert "‮" not in shown.subject


async def test_a_member_below_a_root_that_the_others_do_not_have_is_refused_by_them(
    world: World, stack: AsyncExitStack
) -> None:
    """What trust cannot bridge: whoever adds a device validates it (RFC 9420 §5.3.1)."""
    (alice,) = await world.people(stack, ALICE)
    now = int(world.clock.now)
    key, root = create_root("Elsewhere", now, YEAR)
    issuer_key, issuer = create_issuer(key, root, "Elsewhere issuer", NUMBERS, now, YEAR)
    device = ec.generate_private_key(ec.SECP256R1())
    leaf = issue_device_certificate(issuer_key, issuer, device.public_key(), CAROL, now)
    chain = [each.public_bytes(Encoding.DER) for each in (leaf, issuer)]
    verifier = alice.steps.groups.verifier
    with pytest.raises(CertificateError):
        verifier.chains.verify(chain, now)
    await alice.worker.run(alice.steps.trusting.add, pem(root).encode(), {fingerprint(root)}, now)
    assert alice.steps.groups.verifier.chains.verify(chain, now).number == CAROL
    with pytest.raises(CertificateError):
        verifier.chains.verify(chain, now)


async def test_an_inspection_says_by_which_set_a_message_was_judged(world: World, desks: list[Desk]) -> None:
    alice, bob = desks
    group = await talking(alice, bob)
    await heard(alice, bob, group, "hello")
    row = (await bob.messages.page(group))[-1].row
    before = (await bob.trust.show()).fingerprint[:8]
    assert (await bob.messages.inspect(row)).trust == f"judged by the trust anchors {before}, yours"
    world.clock.now = NOW
    changed = await bob.trust.policy(code_leaves=False)
    assert (await bob.messages.inspect(row)).trust == (
        f"judged by the trust anchors {before}, which you had then; "
        f"this chat names {before}, which are not yours ({changed.fingerprint[:8]})"
    )


async def test_doctor_says_when_ones_own_certificate_does_not_count(world: World, desks: list[Desk]) -> None:
    alice = desks[0]
    (fine,) = (each for each in await alice.device.doctor() if each.subject == "trust")
    assert (fine.right, fine.words.startswith("1 root, ")) == (True, True)
    own = (await alice.trust.show()).anchors[0].fingerprint
    await alice.trust.remove(own, last=True)
    (finding,) = (each for each in await alice.device.doctor() if each.subject == "trust")
    assert not finding.right
    assert "your own certificate does not count" in finding.words
