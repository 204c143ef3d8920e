"""What an operator declares of numbers stands in every certificate from then on, and nowhere else."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from identity.authority.cli import authority as command
from identity.certificates import verify_chain
from identity.number import TelephoneNumber
from identity.number_attributes import NumberAttributes

from .conftest import Authority, Device

MAIN_LINE = TelephoneNumber.from_digits("12025550100")


def told(folder: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(command, ["numbers", *arguments, "--data-dir", str(folder)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


async def declared(authority: Authority, number: TelephoneNumber) -> NumberAttributes | None:
    device = Device(number)
    account = await authority.account()
    issued = await authority.issued(account, await authority.ready(account, device), device.csr())
    return verify_chain(issued.chain, await authority.anchors(), authority.clock.now).attributes


async def test_a_mark_stands_in_certificates_from_then_on(authority, folder) -> None:
    assert await declared(authority, MAIN_LINE) is None
    result = told(folder, "mark", "+12025550100", "--do-not-originate-messaging")
    assert result.exit_code == 0
    assert result.output.startswith("+12025550100: sends no messages. Certificates say so from now on")

    assert await declared(authority, MAIN_LINE) == NumberAttributes(do_not_originate_messaging=True)
    assert await declared(authority, TelephoneNumber.from_digits("12025550101")) is None

    assert told(folder, "unmark", "+12025550100").exit_code == 0
    assert await declared(authority, MAIN_LINE) is None


async def test_the_longest_prefix_counts(authority, folder) -> None:
    told(folder, "mark", "+1202555", "--do-not-originate")
    told(folder, "mark", "+12025550100", "--authorized-originator", "1234", "--authorized-originator", "5678")
    assert await declared(authority, MAIN_LINE) == NumberAttributes(authorized_originators=("1234", "5678"))
    assert await declared(authority, TelephoneNumber.from_digits("12025550101")) == NumberAttributes(
        do_not_originate=True
    )
    assert told(folder, "list").output.splitlines() == [
        "+1202555: makes no calls",
        "+12025550100: providers speak for it only if they are 1234, 5678",
    ]


async def test_a_mark_is_replaced(authority, folder) -> None:
    told(folder, "mark", "+1202555", "--do-not-originate")
    told(folder, "mark", "+1202555", "--do-not-originate-messaging")
    assert told(folder, "list").output == "+1202555: sends no messages\n"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("mark", "202555", "--do-not-originate"), 2, "not a number or the start of one"),
        (("mark", "+12025551234567890", "--do-not-originate"), 2, "not a number or the start of one"),
        (("mark", "+1202555"), 2, "say what the numbers do not do"),
        (("mark", "+1202555", "--authorized-originator", ""), 2, "1 to 64 visible ASCII"),
        (("mark", "+1202555", "--authorized-originator", "a b"), 2, "1 to 64 visible ASCII"),
        (("unmark", "+1202555"), 1, "has no mark"),
        (("unmark", "%"), 2, "not a number or the start of one"),
    ],
)
async def test_what_cannot_be_marked_is_said(authority, folder, arguments, code, says) -> None:
    result = told(folder, *arguments)
    assert (result.exit_code, says in result.stderr) == (code, True), result.output
    assert told(folder, "list").output == "No number is marked.\n"


def test_without_an_authority_there_is_nothing_to_mark(tmp_path: Path) -> None:
    result = told(tmp_path / "nowhere", "list")
    assert result.exit_code == 1
    assert "has no authority yet" in result.stderr
