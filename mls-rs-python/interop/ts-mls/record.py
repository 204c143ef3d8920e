"""Records the conversations of tests/interop between mls_rs and ts-mls into transcripts/, one file per casting.

Needs node 20 and `npm ci` in this folder. Run: `python record.py`.
"""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "tests"))

from interop.certificates import Authority, validator  # noqa: E402
from interop.conversations import CASTINGS, CONVERSATIONS, Cast  # noqa: E402
from interop.parties import Abilities, OwnParty, Party, PeerParty  # noqa: E402

TS_MLS = Abilities(rotates=False, proposes_updates=False, encodes_external_pub=False)


def record(casting: str, node: str) -> dict[str, Any]:
    now = int(time.time())
    authority = Authority(now)
    validate = validator(authority.certificate)
    conversations = {}
    for conversation in CONVERSATIONS:
        parties: dict[str, Party] = {}
        for name, kind in zip(("alice", "bob", "carol"), casting.split("-"), strict=True):
            identity = authority.device(name)
            peer = [node, str(HERE / "peer.mjs")]
            parties[name] = OwnParty(identity, validate, now) if kind == "ours" else PeerParty(peer, identity, TS_MLS)
        identities = {name: party.identity.to_json() for name, party in parties.items()}
        cast = Cast(authority, **parties)
        conversation(cast)
        members = {
            name: {"identity": identities[name], "journal": party.journal}
            for name, party in parties.items()
            if isinstance(party, OwnParty)
        }
        (watcher,) = cast.watchers
        conversations[conversation.__name__] = {"members": members, "watcher": watcher.journal}
        for party in parties.values():
            if isinstance(party, PeerParty):
                party.close()
    return {"now": now, "authority": authority.certificate.hex(), "conversations": conversations}


def main() -> None:
    node = shutil.which("node")
    if node is None:
        raise SystemExit("node is missing: install Node.js 20 or newer")
    folder = HERE / "transcripts"
    folder.mkdir(exist_ok=True)
    for casting in CASTINGS:
        transcript = record(casting, node)
        (folder / f"{casting}.json").write_text(json.dumps(transcript, indent=1) + "\n")
        print(casting)


if __name__ == "__main__":
    main()
