"""The first run by its screen alone: to an account, away and back, and every way in which it can go wrong."""

import stat
from pathlib import Path

import httpx
import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail

from client.enrolling import pending_enrolment
from client.errors import RateLimitedError
from client.session import Session
from client.storage.home import Home
from client.tui.screens.step_number import whole_address
from tests.client.conftest import ALICE, DELIVERY, PASSPHRASE, World
from tests.client.test_enrolment_client import Tampering
from tests.client.tui.screens.first_run_scene import FirstRun, Person
from tests.client.tui.shell_scene import until

NUMBER = "+12025550142"
SIZE = (80, 24)


class Drawer(KeyringBackend):
    """A keyring in memory."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", fail.Keyring())


async def opens(world: World, home: Path, passphrase: str | None) -> bool:
    async with Session.open(home, passphrase, clock=world.clock, transport=world.network) as session:
        await session.maintain()
        return session.account.number == ALICE


async def test_the_screen_alone_leads_to_an_account(world: World, tmp_path: Path) -> None:
    app = FirstRun(world, tmp_path / "home")
    async with app.run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.sees("It does not say who a person is, or that they mean well.")
        await person.to_number()
        await person.types(NUMBER)
        await person.sees("✓ +1 202-555-0142 United States")
        await person.presses("enter")
        await person.sees("A code of 6 digits was sent to +1 202-555-0142")
        await person.to_keep(world.codes.codes[ALICE])
        await person.keeps("correct horse battery")
        await until(pilot, lambda: app.answered, "an answer")
    assert app.return_value == "correct horse battery"
    assert await opens(world, tmp_path / "home", "correct horse battery")
    assert not Home(tmp_path / "home").enrolment.exists()
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "home").iterdir()} == {0o600}


async def test_a_keyring_is_offered_where_there_is_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring.core, "_keyring_backend", Drawer())
    app = FirstRun(world, tmp_path / "home")
    async with app.run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        await person.to_keep(world.codes.codes[ALICE])
        await pilot.click("#keyring")
        await until(pilot, lambda: app.answered, "an answer")
    assert app.return_value is None
    assert await opens(world, tmp_path / "home", None)


async def test_who_left_at_the_code_goes_on_there_with_the_same_code(world: World, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with FirstRun(world, home).run_test(size=SIZE) as pilot:
        await Person(pilot).to_code(NUMBER)
        await Person(pilot).presses("ctrl+q")
    code = world.codes.codes[ALICE]
    app = FirstRun(world, home, authority="http://elsewhere.test")
    async with app.run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.sees("A code of 6 digits was sent to +1 202-555-0142")
        assert world.codes.codes[ALICE] == code, "no other code was sent"
        await person.to_keep(code)
        await person.keeps(PASSPHRASE)
        await until(pilot, lambda: app.answered, "an answer")
    assert await opens(world, home, PASSPHRASE)


async def test_who_left_before_the_account_was_kept_needs_another_code(world: World, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with FirstRun(world, home).run_test(size=SIZE) as pilot:
        await Person(pilot).to_code(NUMBER)
        await Person(pilot).to_keep(world.codes.codes[ALICE])
        await Person(pilot).presses("ctrl+q")
    assert not Home(home).database.exists()
    app = FirstRun(world, home)
    async with app.run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.sees("✓ +1 202-555-0142 United States")
        await person.sees("Compare the fingerprint")
        await person.presses("enter")
        await person.sees("A code of 6 digits was sent")
        await person.to_keep(world.codes.codes[ALICE])
        await person.keeps(PASSPHRASE)
        await until(pilot, lambda: app.answered, "an answer")
    assert await opens(world, home, PASSPHRASE)


async def test_a_challenge_that_has_expired_is_not_waited_for(world: World, tmp_path: Path) -> None:
    home = tmp_path / "home"
    async with FirstRun(world, home).run_test(size=SIZE) as pilot:
        await Person(pilot).to_code(NUMBER)
    world.clock.now += 601
    async with FirstRun(world, home).run_test(size=SIZE) as pilot:
        await Person(pilot).sees("Send me a code")
        await Person(pilot).sees("✓ +1 202-555-0142")


async def test_a_file_of_an_earlier_attempt_that_cannot_be_read_is_no_hindrance(world: World, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    home.enrolment.write_bytes(b'{"number": "\xff')
    async with FirstRun(world, home.folder).run_test(size=SIZE) as pilot:
        await Person(pilot).to_code(NUMBER)
    left = pending_enrolment(home)
    assert left is not None
    assert left.number == NUMBER


async def test_a_wrong_code_costs_one_try_and_the_right_one_still_works(world: World, tmp_path: Path) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        right = world.codes.codes[ALICE]
        await person.types("12")
        await person.presses("enter")
        await person.sees("The code has 6 digits; these are 2.")
        await person.clears()
        await person.types(_other(right))
        await person.presses("enter")
        await person.sees("That is not the code. 4 tries left.")
        assert _other(right) in person.screen, "what was typed stays"
        await person.clears()
        await person.to_keep(right)


async def test_a_code_that_was_tried_too_often_is_replaced_by_another(world: World, tmp_path: Path) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        first = world.codes.codes[ALICE]
        await person.types(_other(first))
        for left in ("4 tries", "3 tries", "2 tries", "1 try"):
            await person.presses("enter")
            await person.sees(f"{left} left")
        await person.presses("enter")
        await person.sees("This code can no longer be used")
        await pilot.click("#another")
        await until(pilot, lambda: world.codes.codes[ALICE] != first, "another code")
        await person.sees("Another can be sent in")
        await person.to_keep(world.codes.codes[ALICE])


async def test_another_code_can_be_had_when_time_has_passed(world: World, tmp_path: Path) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        await person.sees("It can be used for 10 min 0 s. Another can be sent in 30 s.")
        button = pilot.app.screen.query_one("#another")
        assert button.disabled
        world.clock.now += 45
        await person.sees("It can be used for 9 min 15 s.")
        assert not button.disabled


async def test_services_that_cannot_be_reached_can_be_tried_again(world: World, tmp_path: Path) -> None:
    world.network.down.add("authority.test")
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.presses("enter")
        await person.sees("https://authority.test cannot be reached")
        await person.sees("Check the network and the service's address, then try again.")
        await person.types(NUMBER)
        world.network.down.clear()
        await person.presses("enter")
        await person.sees("This is who they are. Compare, then press Enter again.")
        await person.presses("enter")
        await person.sees("A code of 6 digits was sent")
        world.network.down.add("authority.test")
        await person.types(world.codes.codes[ALICE])
        await person.presses("enter")
        await person.sees("What you typed stays here; Continue tries again.")
        world.network.down.clear()
        await person.presses("enter")
        await person.sees("is valid until")


async def test_a_delivery_service_that_fails_after_the_certificate_costs_no_code(world: World, tmp_path: Path) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        world.network.down.add("delivery.test")
        await person.types(world.codes.codes[ALICE])
        await person.presses("enter")
        await person.sees(f"{DELIVERY} cannot be reached")
        world.network.down.clear()
        await person.presses("enter")
        await person.sees("is valid until")


async def test_a_number_that_is_none_or_is_not_certified_here_stays_to_be_corrected(
    world: World, tmp_path: Path
) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_number()
        await person.types("0202")
        await person.presses("enter")
        await person.sees("Write the whole number with + and country code")
        assert "0202" in person.screen
        await person.clears()
        await person.types("+15550142")
        await person.sees("? +1 5550142 does not look like a whole number; look again.")
        await person.clears()
        await person.types("+493012345678")
        await person.sees("Germany")
        await person.presses("enter")
        await person.sees("This authority certifies only numbers that start with +1202555.")


@pytest.mark.parametrize(
    ("field", "address", "words"),
    [
        ("#authority", "ftp://authority.test", "is not an address of a service"),
        ("#authority", "https://delivery.test", "a Ringtrue service of this version"),
        ("#delivery", "nonsense", "is not an address of a service"),
    ],
)
async def test_an_address_that_is_wrong_stays_to_be_corrected(
    world: World, tmp_path: Path, field: str, address: str, words: str
) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_number()
        pilot.app.screen.query_one(field).focus()
        await person.clears()
        await person.types(address)
        await person.presses("enter")
        if field == "#authority":
            await person.presses("enter")
        await person.sees(words)
        assert address in person.screen
        await until(pilot, lambda: pilot.app.focused is pilot.app.screen.query_one(field), "the focus in that field")


async def test_an_address_without_a_scheme_is_completed_where_it_is_seen(world: World, tmp_path: Path) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_number()
        pilot.app.screen.query_one("#delivery").focus()
        await person.clears()
        await person.types("delivery.test/")
        await person.presses("enter")
        await person.sees("https://delivery.test")
        go = pilot.app.screen.query_one("#number-step #go")
        await until(pilot, lambda: pilot.app.focused is go, "the services are known, and the button comes next")


@pytest.mark.parametrize(
    ("typed", "whole"),
    [
        ("127.0.0.1:8441", "http://127.0.0.1:8441"),
        (" localhost:8441/ ", "http://localhost:8441"),
        ("[::1]:8441", "http://[::1]:8441"),
        ("ringtrue.example", "https://ringtrue.example"),
        ("ringtrue.example:8443/a", "https://ringtrue.example:8443/a"),
        ("127.0.0.1.example", "https://127.0.0.1.example"),
        ("https://ringtrue.example/", "https://ringtrue.example"),
        ("http://ringtrue.example", "http://ringtrue.example"),
        ("me@127.0.0.1", "me@127.0.0.1"),
        ("nonsense", "nonsense"),
        ("", ""),
    ],
)
def test_only_this_machine_is_reached_without_tls_unless_asked_for(typed: str, whole: str) -> None:
    assert whole_address(typed) == whole


async def test_an_authority_that_asks_to_wait_says_how_long(world: World, tmp_path: Path) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        async with httpx.AsyncClient(transport=world.network, base_url="https://authority.test") as others:
            for _ in range(4):
                await others.post("/v1/challenges", json={"number": NUMBER})
        world.clock.now += 31
        await person.sees("It can be used for 9 min 29 s.")
        await pilot.click("#another")
        await person.sees("The authority asks to wait 59 min 29 s. What you typed stays here.")
        assert RateLimitedError.exit_code == 7
        assert pilot.app.screen.query_one("#another").disabled


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chain": lambda chain: chain[:1]}, "is not acceptable"),
        ({"changes": {"/acme/order/": lambda order: order | {"x5u": "https://elsewhere.example/x"}}}, "is not below"),
    ],
    ids=["not-acceptable", "published-elsewhere"],
)
async def test_a_certificate_that_proves_nothing_is_not_kept(
    world: World, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    transport = Tampering(world.network)
    for name, tampered in change.items():
        setattr(transport, name, tampered)
    async with FirstRun(world, tmp_path / "home", transport=transport).run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        await person.types(world.codes.codes[ALICE])
        await person.presses("enter")
        await person.sees(words)
        assert "▸ 2 Code" in person.screen
    assert not Home(tmp_path / "home").database.exists()


async def test_a_folder_that_others_can_read_is_refused_with_the_command_that_mends_it(
    world: World, tmp_path: Path
) -> None:
    home = tmp_path / "h"
    home.mkdir(mode=0o755)
    async with FirstRun(world, home).run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_number()
        await person.types(NUMBER)
        await person.presses("enter")
        await person.sees("chmod 700")
        assert ALICE not in world.codes.codes, "no code was sent for nothing"
        home.chmod(0o700)
        await person.presses("enter")
        await person.sees("A code of 6 digits was sent")


async def test_an_account_that_is_there_is_not_overwritten(world: World, tmp_path: Path) -> None:
    await world.enrol(ALICE)
    async with FirstRun(world, world.home(ALICE)).run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        await person.to_keep(world.codes.codes[ALICE])
        await person.keeps("another")
        await person.sees("An earlier attempt began a store under another passphrase.")
        for field in ("#passphrase", "#again"):
            pilot.app.screen.query_one(field).focus()
            await person.clears()
            await person.types(PASSPHRASE)
        await person.presses("enter")
        await person.sees("this folder holds an account already".capitalize())
        await person.sees("Use another folder (RINGTRUE_HOME)")
    assert await opens(world, world.home(ALICE), PASSPHRASE)


async def test_an_account_in_use_is_left_alone(world: World, tmp_path: Path) -> None:
    await world.enrol(ALICE)
    async with world.open(ALICE), FirstRun(world, world.home(ALICE)).run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        await person.to_keep(world.codes.codes[ALICE])
        await person.keeps(PASSPHRASE)
        await person.sees("in use by process")


async def test_passphrases_that_are_empty_or_differ_are_not_taken(world: World, tmp_path: Path) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        await person.to_keep(world.codes.codes[ALICE])
        await person.presses("enter", "enter")
        await person.sees("Type a passphrase: without one, anybody with this disk could read your chats.")
        await person.types("aaaa")
        await person.sees("Weak: few different characters")
        await person.presses("enter")
        await person.types("aaab")
        await person.presses("enter")
        await person.sees("The two are not the same.")
    assert not Home(tmp_path / "home").database.exists()


async def test_going_back_keeps_what_was_typed_and_needs_no_second_code(world: World, tmp_path: Path) -> None:
    async with FirstRun(world, tmp_path / "home").run_test(size=SIZE) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        code = world.codes.codes[ALICE]
        await person.types("1234")
        await person.presses("escape")
        await person.sees("▸ 1 Number")
        assert NUMBER in person.screen
        await person.presses("enter")
        await person.sees("▸ 2 Code")
        assert "1234" in person.screen
        assert world.codes.codes[ALICE] == code
        await person.clears()
        await person.to_keep(code)
        await person.presses("escape", "escape")
        await person.sees("▸ 1 Number")
        await person.presses("enter")
        await person.sees("▸ 3 Certificate")
        await person.presses("escape", "escape", "escape", "escape")
        await person.sees("Begin")


async def test_a_clock_that_differs_is_told_before_it_spoils_the_certificate(world: World, tmp_path: Path) -> None:
    app = FirstRun(world, tmp_path / "home", clock=lambda: world.clock.now - 3600)
    async with app.run_test(size=SIZE) as pilot:
        await Person(pilot).presses("enter")
        await Person(pilot).sees("The authority's clock differs by 1 h 0 min: set this computer's clock.")


async def test_no_step_is_cut_off_in_a_small_window(world: World, tmp_path: Path) -> None:
    app = FirstRun(world, tmp_path / "home")
    async with app.run_test(size=(60, 16)) as pilot:
        person = Person(pilot)
        await person.to_code(NUMBER)
        await person.types(world.codes.codes[ALICE])
        await person.presses("enter")
        await person.sees("▸ 3 Certificate")
        await person.sees("Continue")
        await person.presses("enter")
        await person.sees("▸ 4 Keep")
        await person.keeps(PASSPHRASE)
        await until(pilot, lambda: app.answered, "an answer")


def _other(code: str) -> str:
    return str((int(code) + 1) % 10**6).zfill(6)
