"""The doctor: finds what is wrong, whatever else is missing, and says what to do about it."""

import os
from collections.abc import Callable
from pathlib import Path

import keyring
import pytest
from keyring.backends import fail

from client.doctor import Doctor, look_at_config, look_at_store
from client.enrolling import Enrolment
from client.errors import PassphraseNeededError
from client.finding import Finding
from client.storage.home import AccountLock, Home
from client.storage.keys import open_key
from client.storage.store import Store
from identity.authority.folder import open_store
from identity.authority.status.revocations import revoke_number
from identity.status.revocation import Reason
from tests.client.conftest import ALICE, AUTHORITY, DELIVERY, PASSPHRASE, World

DAY = 86_400
OPENED = ["store", "certificate", "authority", "delivery", "franking", "key packages"]


async def examine(
    world: World, home: Path | None = None, passphrase: Callable[[], str | None] = lambda: PASSPHRASE
) -> dict[str, Finding]:
    doctor = Doctor(
        Home(home or world.home(ALICE)), passphrase, AUTHORITY, DELIVERY, clock=world.clock, transport=world.network
    )
    return {finding.subject: finding async for finding in doctor.examine()}


def wrong(findings: dict[str, Finding]) -> list[str]:
    return [finding.subject for finding in findings.values() if not finding.right]


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RINGTRUE_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())
    return tmp_path / "config.toml"


@pytest.fixture
async def account(world: World) -> Home:
    await world.enrol(ALICE)
    async with world.open(ALICE) as session:
        await session.maintain()
    return Home(world.home(ALICE))


async def test_all_is_well_with_a_new_account(world: World, account: Home) -> None:
    findings = await examine(world)
    assert wrong(findings) == []
    assert [subject for subject in findings if subject in OPENED] == OPENED
    assert "valid for 16" in findings["certificate"].words
    assert findings["key"].words == "under your passphrase"


async def test_without_an_account_it_says_how_to_begin_and_looks_at_the_services(world: World, tmp_path: Path) -> None:
    findings = await examine(world, tmp_path / "nobody")
    assert wrong(findings) == ["account"]
    assert "ringtrue enroll +NUMBER" in findings["account"].words
    assert "clocks agree" in findings["authority"].words
    assert "clocks agree" in findings["delivery"].words
    assert not (tmp_path / "nobody").exists()


async def test_an_enrolment_that_was_left_is_named(world: World, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    attempt = Enrolment(home, ALICE, "https://else.test", DELIVERY, world.clock, world.network)
    attempt.begin()
    world.network.down.add("else.test")
    findings = await examine(world, home.folder)
    assert wrong(findings) == ["account", "authority"]
    assert "+12025550142" in findings["account"].words
    assert "https://else.test cannot be reached" in findings["authority"].words


async def test_each_service_is_looked_at_by_itself(world: World, account: Home) -> None:
    world.network.down.add("authority.test")
    findings = await examine(world)
    assert wrong(findings) == ["authority"]
    world.network.down = {"delivery.test"}
    findings = await examine(world)
    assert wrong(findings) == ["delivery"]
    assert "Check the network" in findings["delivery"].words


async def test_a_clock_that_differs_is_found_at_both_services(world: World, tmp_path: Path) -> None:
    ahead = Doctor(
        Home(tmp_path / "nobody"),
        lambda: None,
        AUTHORITY,
        DELIVERY,
        clock=lambda: world.clock.now + 3600,
        transport=world.network,
    )
    findings = {finding.subject: finding async for finding in ahead.examine()}
    assert wrong(findings) == ["account", "authority", "delivery"]
    assert "differs by -3600 s; set this machine's clock" in findings["delivery"].words


async def test_while_another_process_has_the_account_the_rest_is_looked_at(world: World, account: Home) -> None:
    with AccountLock(account):
        findings = await examine(world)
    assert wrong(findings) == []
    assert f"in use by process {os.getpid()}" in findings["account"].words
    assert "files" in findings
    assert "store" not in findings


async def test_without_the_passphrase_the_rest_is_looked_at(world: World, account: Home) -> None:
    def nobody() -> str:
        raise PassphraseNeededError("there is no terminal to ask at")

    findings = await examine(world, passphrase=nobody)
    assert wrong(findings) == ["store"]
    assert "--passphrase-file" in findings["store"].words
    assert wrong(await examine(world, passphrase=lambda: "wrong")) == ["store"]


async def test_files_that_others_can_read_are_named_with_the_command_that_mends_it(world: World, account: Home) -> None:
    account.anchors.chmod(0o644)
    findings = await examine(world)
    assert wrong(findings) == ["files"]
    assert f"others can read anchors.pem; run: chmod -R go= {account.folder}" in findings["files"].words


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\x00", b'{"held_by":"keyring","name":"x"}'])
async def test_a_key_file_that_is_of_no_use_is_found(world: World, account: Home, content: bytes) -> None:
    account.key_file.write_bytes(content)
    findings = await examine(world)
    assert {"key", "store"} <= set(wrong(findings))


async def test_a_key_file_that_is_gone_is_found(world: World, account: Home) -> None:
    account.key_file.unlink()
    findings = await examine(world)
    assert wrong(findings) == ["key", "store"]
    assert "Put a copy of store.key back" in findings["key"].words


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
async def test_roots_that_cannot_be_read_are_found(world: World, account: Home, content: bytes | None) -> None:
    if content is None:
        account.anchors.unlink()
    else:
        account.anchors.write_bytes(content)
    assert wrong(await examine(world)) == ["roots"]


async def test_a_certificate_that_has_ended_says_which_command_helps(world: World, account: Home) -> None:
    world.clock.now += 5 * DAY
    assert "renewal is due" in (await examine(world))["certificate"].words
    world.clock.now += 3 * DAY
    findings = await examine(world)
    assert "certificate" in wrong(findings)
    assert "ringtrue receive" in findings["certificate"].words
    world.clock.now += 38 * DAY
    assert f"ringtrue enroll +12025550142 --authority {AUTHORITY}" in (await examine(world))["certificate"].words


async def test_a_certificate_that_was_revoked_says_which_command_helps(world: World, account: Home) -> None:
    async with world.open(ALICE) as session:
        store = open_store(world.folder / "authority")
        with store.transaction():
            revoke_number(store, ALICE.digits, Reason.privilege_withdrawn, int(world.clock.now))
        store.close()
        world.clock.now += 901
        await session.receive()
    findings = await examine(world)
    assert wrong(findings) == ["certificate"]
    assert findings["certificate"].words.startswith("revoked")
    assert "in a new folder" in findings["certificate"].words, "this one has an account, so `enroll` refuses it"
    assert findings["revoked certificates"].words.startswith("1 on the list")


async def test_a_list_that_is_over_is_said(world: World, account: Home) -> None:
    world.clock.now += 2 * DAY
    assert {"reported numbers", "revoked certificates"} <= set(wrong(await examine(world)))


async def test_no_key_packages_means_that_nobody_can_add_this_device(world: World) -> None:
    await world.enrol(ALICE)
    findings = await examine(world)
    assert wrong(findings) == ["reported numbers", "revoked certificates", "key packages"]


async def test_a_page_that_was_changed_is_found(world: World, account: Home) -> None:
    octets = bytearray(account.database.read_bytes())
    octets[-100] ^= 1
    account.database.write_bytes(octets)
    findings = await examine(world)
    assert "store" in wrong(findings)
    assert not {"certificate"} & set(wrong(findings))


async def test_a_whole_store_is_found_to_be_whole_before_it_was_ever_closed(world: World, account: Home) -> None:
    store = Store.open(account.database, open_key(account, PASSPHRASE))
    try:
        with store.transaction():
            store.execute("UPDATE account SET inbox = inbox")
        assert look_at_store(store).right
    finally:
        store.close()


async def test_settings_that_cannot_be_read_are_found_with_their_line(
    world: World, account: Home, own_settings: Path
) -> None:
    assert look_at_config(own_settings).right
    own_settings.write_text("# mine\nthem = 'dark'\n")
    findings = await examine(world)
    assert wrong(findings) == ["settings"]
    assert "line 2" in findings["settings"].words
