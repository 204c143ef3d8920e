"""A database as an operator names it: what could lose entries is refused, and no password is ever shown."""

import time
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from delivery_service.cli import delivery
from delivery_service.errors import StartError
from delivery_service.storage.database import FORM, Database, connect, place
from identity.issuing import create_root
from tests.postgresql.cluster import Cluster
from tests.postgresql.server import Server


@pytest.fixture
def anchors_file(tmp_path: Path) -> Path:
    _, root = create_root("Test root", int(time.time()), 86_400)
    file = tmp_path / "anchors.pem"
    file.write_bytes(root.public_bytes(Encoding.PEM))
    return file


def refusal(database: Database) -> str:
    with pytest.raises(StartError) as caught:
        database.connect().close()
    return str(caught.value)


def setting(url: str, name: str, value: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET {name} = '{value}'")


def test_one_copy_is_refused_unless_it_is_accepted(database: str) -> None:
    assert "only its own disk" in refusal(Database(database))
    Database(database, one_copy=True).connect().close()


@pytest.mark.parametrize("value", ["off", "local", "remote_write"])
def test_an_acknowledgement_that_may_be_lost_is_refused(database: str, value: str) -> None:
    setting(database, "synchronous_commit", value)
    assert f"synchronous_commit is {value}" in refusal(Database(database))


def test_an_acknowledgement_before_the_disk_is_refused_even_for_one_copy(database: str) -> None:
    setting(database, "synchronous_commit", "off")
    assert "synchronous_commit is off" in refusal(Database(database, one_copy=True))


def test_a_server_that_does_not_wait_for_the_disk_is_refused(database: str, postgresql: Server) -> None:
    postgresql.set("fsync", "off")
    try:
        assert "fsync = on" in refusal(Database(database, one_copy=True))
    finally:
        postgresql.set("fsync", "on")


def test_a_quorum_is_accepted_and_a_standby_is_not(cluster: Cluster) -> None:
    connection = connect(cluster.primary.url())
    connection.close()
    assert "delivery migrate" in refusal(Database(cluster.primary.url()))  # only the schema is missing
    assert "is a standby" in refusal(Database(cluster.standbys[0].url()))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ringtrue:correct@horse@127.0.0.1:1/ringtrue",
        "postgresql://ringtrue:correct horse@127.0.0.1:port/ringtrue",
        "postgresql://ringtrue:correct%20horse@127.0.0.1:1/ringtrue",
        "postgresql://ringtrue:correct%20horse@127.0.0.1/ringtrue?nonsense=correct",
        "host=127.0.0.1 port=1 password='correct horse'",
        "correct horse",
        "",
    ],
)
@pytest.mark.parametrize("command", [["migrate"], ["serve", "--port", "0", "--accept-one-copy"]])
def test_no_password_is_shown(url: str, command: list[str], tmp_path: Path, anchors_file: Path) -> None:
    if command[0] == "serve":
        command = [*command, "--data-dir", str(tmp_path), "--anchors", str(anchors_file)]
    result = CliRunner().invoke(delivery, [*command, "--database", url])
    assert (result.exit_code, "Traceback" in result.output) == (1, False)
    assert "correct" not in result.output
    assert "horse" not in result.output
    assert "database" in result.output


def test_a_wrong_password_is_not_shown(postgresql: Server) -> None:
    url = postgresql.url().replace(postgresql.password, "correct%20horse")
    result = CliRunner().invoke(delivery, ["migrate", "--database", url])
    assert result.exit_code == 1
    assert "password authentication failed" in result.output
    assert "horse" not in result.output


@given(st.text(min_size=4))
def test_a_place_shows_nothing_of_a_password(password: str) -> None:
    for url in (
        f"postgresql://u:{quote(password, safe='', errors='surrogatepass')}@h/d",
        f"postgresql://u:{password}@h/d",
        password,
    ):
        try:
            shown = place(url)
        except StartError as error:
            shown = str(error)
        assert shown == "h:5432/d" or FORM in shown or password not in shown


def test_a_place_names_each_server_with_its_port() -> None:
    assert place("postgresql://u@a:1,b:2,c:3/d?target_session_attrs=read-write") == "a:1,b:2,c:3/d"
    assert place("postgresql://u@a,b,c:7/d") == "a:5432,b:5432,c:7/d"
    assert place("host=a,b port=7 dbname=d") == "a:7,b:7/d"
    assert place("dbname=d") == "localhost:5432/d"


def test_a_migration_says_what_it_did(empty_database: str) -> None:
    for words in ("now; before it had none", "already"):
        result = CliRunner().invoke(delivery, ["migrate", "--database", empty_database])
        assert result.exit_code == 0, result.output
        assert words in result.output
