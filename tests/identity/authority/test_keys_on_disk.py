"""Keys are made once, kept private, and never silently replaced."""

import contextlib
import shutil

import apsw
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from identity.authority.app import open_authority
from identity.authority.codes import CodeOutbox
from identity.authority.errors import DataFolderError
from identity.certificates import verify_chain
from identity.errors import NumberError
from identity.number import TelephoneNumber
from identity.prefixes import authority_list, prefixes_of
from identity.tn_auth_list import Coverage, TNAuthList

KEY_FILES = {"root.key", "roots.pem", "issuer.key", "issuer.pem", "codes.secret"}
YEAR = 365 * 86_400


def modes(folder) -> set[str]:
    return {oct(path.stat().st_mode & 0o777) for path in folder.rglob("*") if path.is_file()}


async def test_first_run_makes_private_keys(authority, folder):
    await authority.challenge()

    assert {path.name for path in (folder / "keys").iterdir()} == KEY_FILES
    assert modes(folder) == {"0o600"}
    assert {oct(path.stat().st_mode & 0o777) for path in (folder, folder / "keys")} == {"0o700"}


async def test_a_restart_keeps_keys_challenges_and_published_paths(open_at, device, make_device):
    before = await open_at()
    issued = await before.enrol(device)
    challenge, code = await before.challenge()

    after = await open_at()

    assert await after.anchors() == await before.anchors()
    assert (await after.http.get(issued.x5u)).status_code == 200
    assert (await after.prove(challenge, code, make_device())).status_code == 200


@pytest.mark.parametrize("name", [".", "keys", "keys/root.key", "keys/issuer.key", "keys/codes.secret"])
async def test_open_permissions_are_refused(open_at, folder, name):
    await open_at()
    mode = 0o750 if (folder / name).is_dir() else 0o640
    (folder / name).chmod(mode)

    with pytest.raises(DataFolderError, match=f"mode {mode:o}.*chmod"):
        await open_at()


@pytest.mark.parametrize("name", sorted(KEY_FILES))
async def test_a_missing_key_file_is_refused(open_at, folder, name):
    await open_at()
    (folder / "keys" / name).unlink()

    with pytest.raises(DataFolderError, match=name):
        await open_at()


@pytest.mark.parametrize("name", sorted(KEY_FILES))
async def test_a_damaged_key_file_is_refused(open_at, folder, name):
    await open_at()
    (folder / "keys" / name).write_bytes(b"-----BEGIN NOTHING-----\n")

    with pytest.raises(DataFolderError, match=name):
        await open_at()


async def test_the_key_of_another_authority_is_refused(open_at, folder, tmp_path):
    await open_at()
    app = open_authority(tmp_path / "other", "http://other.example", CodeOutbox())
    app.state.store.close()
    shutil.copy(tmp_path / "other" / "keys" / "issuer.key", folder / "keys" / "issuer.key")

    with pytest.raises(DataFolderError, match="does not belong"):
        await open_at()


async def test_a_lost_key_folder_is_not_replaced_under_certificates_that_exist(open_at, folder, device):
    await (await open_at()).enrol(device)
    shutil.rmtree(folder / "keys")

    with pytest.raises(DataFolderError, match="no keys"):
        await open_at()


async def test_a_lost_database_is_not_replaced(open_at, folder):
    await open_at()
    for path in folder.glob("authority.sqlite*"):
        path.unlink()

    with pytest.raises(DataFolderError, match=r"no authority\.sqlite"):
        await open_at()


async def test_a_database_that_is_none_is_refused(open_at, folder):
    (await open_at()).close()
    (folder / "authority.sqlite").write_bytes(b"no database" * 100)

    with pytest.raises(DataFolderError, match="cannot be opened"):
        await open_at()


async def test_a_database_of_a_newer_version_is_refused(open_at, folder):
    (await open_at()).close()
    with contextlib.closing(apsw.Connection(str(folder / "authority.sqlite"))) as connection:
        connection.pragma("user_version", 99)

    with pytest.raises(DataFolderError, match="version 99"):
        await open_at()


async def test_a_first_run_that_was_interrupted_starts_again(open_at, folder, device):
    await open_at()
    (folder / "keys").rename(folder / ".new-keys")
    (folder / ".new-keys" / "issuer.key").unlink()

    assert len((await (await open_at()).enrol(device)).chain) == 2


async def test_the_issuer_certificate_is_renewed_under_the_same_root(open_at, device, make_device, clock):
    authority = await open_at()
    old = await authority.enrol(device)
    clock.now += YEAR - 29 * 86_400

    new = await authority.enrol(make_device())

    assert new.chain[1] != old.chain[1]
    anchors = await authority.anchors()
    assert len(anchors.roots) == 1
    assert verify_chain(new.chain, anchors, new.not_after).not_after == clock.now + 7 * 86_400
    again = await (await open_at()).enrol(make_device())
    assert again.chain[1] == new.chain[1]


async def test_the_root_is_renewed_with_its_key_so_that_old_anchors_still_serve(authority, make_device, clock):
    old_anchors = await authority.anchors()
    clock.now += 8 * YEAR + 1

    issued = await authority.enrol(make_device())

    new_anchors = await authority.anchors()
    assert [root in new_anchors.roots for root in old_anchors.roots] == [True]
    assert len(new_anchors.roots) == 2
    for anchors in (old_anchors, new_anchors):
        assert verify_chain(issued.chain, anchors, clock.now).number == TelephoneNumber.from_digits("12025550142")


async def test_prefixes_stay_in_force_until_changed(open_at):
    await open_at(allow=("+1202555",))
    unchanged = await open_at()
    assert (await unchanged.http.get("/v1/status")).json()["numbers"] == ["+1202555"]

    changed = await open_at(allow=("+1", "+44"))
    assert (await changed.http.get("/v1/status")).json()["numbers"] == ["+1", "+44"]
    assert (await (await open_at()).http.get("/v1/status")).json()["numbers"] == ["+1", "+44"]


@pytest.mark.parametrize("prefix", ["", "+0", "abc", "+1-202", "+123456789012", "1" * 16])
async def test_what_is_no_prefix_is_refused_before_anything_is_made(open_at, folder, prefix):
    with pytest.raises(NumberError):
        await open_at(allow=(prefix,))

    assert not folder.exists()


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        ("+", ["12025550142", "4420794600", "299123456", "999999999999999", "1000000"], ["123456"]),
        ("+1202555", ["12025550000", "12025559999"], ["12025560000", "12025549999", "1202555000"]),
        ("+44", ["442079460000", "44999999999"], ["452079460000", "33123456789"]),
        ("+12025550142", ["12025550142"], ["12025550143"]),
    ],
)
def test_ranges_cover_what_prefixes_say(prefix, inside, outside):
    covered = authority_list([prefix])

    assert TNAuthList.decode(covered.encode()) == covered
    assert prefixes_of(covered) == (prefix,)
    for digits in inside:
        assert covered.covers(TelephoneNumber.from_digits(digits)) is Coverage.BY_NUMBER
    for digits in outside:
        assert covered.covers(TelephoneNumber.from_digits(digits)) is Coverage.NO


async def test_anchors_are_the_self_signed_roots(authority):
    for root in (await authority.anchors()).roots:
        root.verify_directly_issued_by(root)
        assert root.public_bytes(Encoding.DER)
