"""mls_rs and OpenMLS in one group: suite 0x0002, X.509 credentials, both ways."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .certificates import Authority, validator
from .conversations import CASTINGS, CONVERSATIONS, Cast
from .parties import OwnParty, Party, PeerParty

CRATE = Path(__file__).parents[2]
SOURCES = CRATE / "examples" / "openmls_peer"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", CRATE / "target"))


@pytest.fixture(scope="session")
def openmls_peer() -> str:
    """The peer's executable, built where it is missing or older than its sources."""
    binary = TARGET / "release" / "examples" / "openmls_peer"
    built = binary.stat().st_mtime if binary.exists() else 0.0
    if built < max(source.stat().st_mtime for source in SOURCES.iterdir()):
        cargo = shutil.which("cargo")
        if cargo is None:
            pytest.skip("the OpenMLS peer is not built, and there is no cargo to build it")
        command = [cargo, "build", "--quiet", "--release", "--locked", "--example", "openmls_peer"]
        subprocess.run(command, cwd=CRATE, check=True)
    return str(binary)


@pytest.fixture
def cast(request: pytest.FixtureRequest, openmls_peer: str) -> Iterator[Cast]:
    now = int(time.time())
    authority = Authority(now)
    validate = validator(authority.certificate)
    peers: list[PeerParty] = []

    def party(name: str, kind: str) -> Party:
        identity = authority.device(name)
        if kind == "ours":
            return OwnParty(identity, validate, now)
        peers.append(PeerParty([openmls_peer], identity))
        return peers[-1]

    alice, bob, carol = map(party, ("alice", "bob", "carol"), request.param.split("-"))
    yield Cast(authority, alice, bob, carol)
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("cast", CASTINGS, indirect=True)
@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda conversation: conversation.__name__)
def test_openmls_and_mls_rs_agree(conversation: Callable[[Cast], None], cast: Cast) -> None:
    conversation(cast)
