"""The token authority's folder: made once, private, never silently replaced; and the upgrade of an older authority."""

import shutil
from importlib.resources import files

import apsw
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.app import open_tokens
from identity.authority.codes import CodeOutbox
from identity.authority.errors import DataFolderError
from identity.authority.issuer import Issuer, create_keys
from identity.authority.keys import private_folder, write_keys
from identity.authority.tokens.folder import open_token_folder, open_token_store, read_token_roots
from identity.authority.tokens.signer import TokenSigner, create_token_keys
from identity.authority.wire import NUMBER_PROOF_LIFETIME
from identity.certificate_fields import validity
from identity.certificates import TrustAnchors
from tests.identity.authority.ordering import one

DAY = 86_400
YEAR = 365 * DAY
KEY_FILES = {"root.key", "roots.pem", "issuer.key", "issuer.pem", "codes.secret"}


def modes(folder) -> set[str]:
    return {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()}


async def test_the_first_run_makes_private_keys_beside_the_other_authoritys(authority, folder):
    await authority.challenge()

    assert {path.name for path in (folder / "tokens" / "keys").iterdir()} == KEY_FILES
    assert modes(folder / "tokens") == {"0o600"}
    assert oct((folder / "tokens").stat().st_mode & 0o777) == "0o700"
    roots = read_token_roots(folder)
    assert roots == (await authority.http.get("/at/anchors.pem")).content
    assert roots != (await authority.http.get("/v1/anchors.pem")).content


async def test_a_restart_keeps_challenges_and_proofs(open_at, device):
    before = await open_at()
    account = await before.account()
    chain = (await before.issued(account, await before.ready(account, device), device.csr())).chain
    challenge, code = await before.challenge()

    after = await open_at()

    assert (await after.token(challenge, account.by_code(code, device.number, device.key))).status_code == 200
    renewal = account.by_device(chain, device.key, device.number, device.key, after.clock.now)
    assert (await after.token("device", renewal)).status_code == 200


@pytest.mark.parametrize("name", sorted(KEY_FILES))
async def test_a_missing_key_file_is_refused(open_at, folder, name):
    await open_at()
    (folder / "tokens" / "keys" / name).unlink()

    with pytest.raises(DataFolderError, match=name):
        await open_at()


async def test_keys_without_their_database_are_refused(open_at, folder):
    (await open_at()).tokens.close()
    for file in (folder / "tokens").glob("tokens.sqlite*"):
        file.unlink()

    with pytest.raises(DataFolderError, match=r"no tokens\.sqlite"):
        await open_at()


async def test_proofs_without_their_keys_are_refused(open_at, folder, device):
    authority = await open_at()
    await authority.ready(await authority.account(), device)
    (folder / "tokens" / "keys").rename(folder / "elsewhere")

    with pytest.raises(DataFolderError, match="no keys"):
        await open_at()


def test_a_folder_without_a_token_authority_is_told_how_to_get_one(tmp_path):
    for ask in (open_token_store, read_token_roots):
        with pytest.raises(DataFolderError, match="serve-tokens"):
            ask(tmp_path)


def test_roots_and_signer_are_renewed_with_their_keys(tmp_path):
    now = 1_795_000_000
    store, signer = open_token_folder(tmp_path / "a", "http://a", now)
    store.close()
    root, later = signer.roots[0], now + 9 * YEAR

    store, renewed = open_token_folder(tmp_path / "a", "http://a", later)
    store.close()

    assert renewed.roots[1:] == (root,)
    assert renewed.roots[0].public_key() == root.public_key()
    assert validity(renewed.roots[0])[1] > validity(root)[1]
    signers = x509.load_pem_x509_certificates((tmp_path / "a" / "tokens" / "keys" / "issuer.pem").read_bytes())
    assert validity(signers[0])[1] >= later + YEAR


def test_a_signer_without_a_folder_keeps_its_renewals_to_itself():
    now = 1_795_000_000
    signer = TokenSigner(create_token_keys(now), "http://a", now)

    assert TokenSigner(create_token_keys(now), "http://a", now + 9 * YEAR).roots_pem.count(b"BEGIN") == 2
    assert signer.roots_pem.count(b"BEGIN") == 1


# An authority of before: it proved numbers itself, and its certificates say when.


def older_authority(folder, device, proved_at: int, now: int) -> list[bytes]:
    """Write a folder as version 2 left it, with one certificate; return its chain."""
    private_folder(folder)
    keys = create_keys(now)
    write_keys(folder, keys)
    path = Issuer(keys, now).issue(device.key.public_key(), device.number, now)
    connection = apsw.Connection(str(folder / "authority.sqlite"))
    for script in ("schema.sql", "reports.sql"):
        connection.execute((files("identity.authority") / script).read_text("utf-8"))
    connection.execute(
        "INSERT INTO certificates (fingerprint, path, not_after, proved_at, number, spki, issued_at, by_code) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        (
            path.fingerprint,
            path.pem.decode("ascii"),
            validity(path.leaf)[1],
            proved_at,
            device.number.digits,
            b"0" * 32,
            now,
        ),
    )
    connection.execute(
        "INSERT INTO challenges VALUES ('A', '12025550142', x'00', ?, 'bound', 5, x'00', ?)",
        (now + 600, path.fingerprint),
    )
    connection.pragma("user_version", 2)
    connection.close()
    (folder / "authority.sqlite").chmod(0o600)
    return path.chain


async def renew(authority, account, device, chain):
    request = account.by_device(chain, device.key, device.number, device.key, authority.clock.now)
    return await authority.token("device", request)


async def test_devices_of_an_older_authority_renew_until_their_number_is_due(open_at, folder, clock, device, word):
    proved = clock.now - 80 * DAY
    chain = older_authority(folder, device, proved, clock.now)

    authority = await open_at()

    account = await authority.account()
    response = await renew(authority, account, device, chain)
    assert response.status_code == 200
    order = await account.order(one(device.number))
    await account.answer(order, response.json()["token"])
    chain = (await authority.issued(account, order, device.csr())).chain
    authority.clock.now = proved + NUMBER_PROOF_LIFETIME
    assert word(await renew(authority, account, device, chain)) == "number-proof-due"


async def test_what_was_forgotten_is_not_taken_over_again(open_at, folder, clock, device, word):
    chain = older_authority(folder, device, clock.now, clock.now)
    before = await open_at()
    with before.tokens.transaction():
        before.tokens.forget_number(device.number, before.clock.now)

    after = await open_at()

    assert word(await renew(after, await after.account(), device, chain)) == "number-proof-due"


async def test_a_token_authority_that_lost_everything_believes_no_certificate(open_at, folder, device, word):
    before = await open_at()
    account = await before.account()
    chain = (await before.issued(account, await before.ready(account, device), device.csr())).chain
    before.tokens.close()
    shutil.rmtree(folder / "tokens")

    after = await open_at()

    assert word(await renew(after, account, device, chain)) == "number-proof-due"


def test_a_token_authority_of_its_own_takes_over_from_the_same_folder(folder, clock, device):
    older_authority(folder, device, clock.now, clock.now)

    app = open_tokens(folder, "http://a", CodeOutbox(), clock, anchors=lambda _: TrustAnchors(()))

    with app.state.tokens.transaction():
        assert app.state.tokens.forget_number(device.number, int(clock())) == 1
    app.state.tokens.close()


def test_roots_are_pem(tmp_path):
    store, signer = open_token_folder(tmp_path / "a", "http://a", 1_795_000_000)
    store.close()

    assert signer.roots_pem == b"".join(root.public_bytes(Encoding.PEM) for root in signer.roots)
