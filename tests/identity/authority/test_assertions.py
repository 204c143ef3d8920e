"""`authority assert`: what a carrier prints gets an account what it may have, and nothing else is asserted."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from identity.authority.cli import authority as command
from identity.authority.tokens.carriers import Carriers
from identity.enrolment.acme_jws import JWK
from identity.enrolment.authority_token import identifier_value
from identity.enrolment.delegation import delegation_csr
from identity.issuing import create_issuer, create_root
from identity.tn_auth_list import ServiceProviderCode, TelephoneNumberRange, TNAuthList
from tests.identity.authority.conftest import ALICE, BASE_URL
from tests.identity.authority.ordering import AcmeAccount, one, private_key

NUMBERS = TNAuthList((TelephoneNumberRange("12025550100", 100), ServiceProviderCode("1234")))
HERE = ("--token-authority", BASE_URL)


@pytest.fixture
def carrier(tmp_path: Path) -> tuple[str, ...]:
    """Options that name a carrier's key and certificate."""
    now = int(time.time())
    key, certificate = create_issuer(*create_root("Carriers", now, 9_000), "Carrier", NUMBERS, now, 8_000)
    files = tmp_path / "carrier.key", tmp_path / "carrier.pem"
    files[0].touch(0o600)
    files[0].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    files[1].write_bytes(certificate.public_bytes(Encoding.PEM))
    return ("--key", str(files[0]), "--certificate", str(files[1]))


@pytest.fixture
async def authority(open_at, clock, carrier):
    clock.now = int(time.time())
    return await open_at(carriers=Carriers.read([Path(carrier[3])]))


def asserted(*options: str) -> Result:
    return CliRunner().invoke(command, ["assert", *options])


def named(account: AcmeAccount) -> tuple[str, str]:
    return "--account", JWK.of(account.key.public_key()).thumbprint.hex()


async def sent(authority, printed: str) -> str:
    headers = {"content-type": "application/json"}
    answer = await authority.http.post("/at/account/carrier/token", content=printed, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]


async def test_what_a_carrier_asserts_gets_a_device_certified(authority, carrier, device):
    account = await authority.account()
    result = asserted(*carrier, *HERE, *named(account), "--allow", ALICE.e164)
    assert result.exit_code == 0, result.output
    order = await account.order(one(ALICE))
    assert (await account.answer(order, await sent(authority, result.stdout))).json()["status"] == "valid"
    assert (await authority.issued(account, order, device.csr())).chain


async def test_what_a_carrier_asserts_gets_an_issuer_certified(authority, carrier):
    account, wanted = await authority.account(), TNAuthList((TelephoneNumberRange("12025550110", 10),))
    result = asserted(*carrier, *HERE, *named(account), "--allow", "+1202555011", "--issuer")
    assert result.exit_code == 0, result.output
    order = await account.order(identifier_value(wanted))
    assert (await account.answer(order, await sent(authority, result.stdout))).json()["status"] == "valid"
    assert (await authority.issued(account, order, delegation_csr(private_key(), "Enterprise", wanted))).chain


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--allow", "+4420", "--issuer"), "does not name all"),
        (("--allow", "+1202555014"), "--issuer"),
        (("--code", "9999", "--issuer"), "does not name all"),
        (("--allow", "nothing"), "not a number prefix"),
        ((), "say for which numbers"),
        (("--allow", "+12025550142", "--account", "12:34"), "64 hexadecimal digits"),
        (("--allow", "+12025550142", "--token-authority", "nowhere"), "not a base URL"),
        (("--allow", "+12025550142", "--certificate", __file__), "holds no carrier's certificate"),
    ],
)
def test_what_cannot_be_asserted_is_refused_with_what_to_do(carrier, options, words):
    account = ("--account", "SHA256 " + "AB:" * 31 + "AB")
    result = asserted(*carrier, *HERE, *account, *options)
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit), result.exception
    assert words in result.output


def test_an_assertion_is_made_with_the_key_of_the_certificate_alone(carrier, tmp_path):
    other = tmp_path / "other.key"
    other.touch(0o600)
    other.write_bytes(private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    account = ("--account", "ab" * 32, "--allow", ALICE.e164)
    assert "is not the certificate of" in asserted(*carrier, *HERE, *account, "--key", str(other)).output
    other.chmod(0o644)
    assert "chmod" in asserted(*carrier, *HERE, *account, "--key", str(other)).output
