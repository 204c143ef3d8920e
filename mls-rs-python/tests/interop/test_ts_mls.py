"""Recorded conversations with ts-mls, replayed: our members get the same bytes and must come to the same beliefs."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from mls_rs import Credential, Engine, Group, MlsError, Observer

from .certificates import SUITE, validator
from .conversations import CASTINGS, CONVERSATIONS
from .parties import as_json, received_from

TRANSCRIPTS = Path(__file__).parents[2] / "interop" / "ts-mls" / "transcripts"


@cache
def transcript(casting: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((TRANSCRIPTS / f"{casting}.json").read_text())
    return loaded


def engine_of(identity: dict[str, Any], authority: str) -> Engine:
    credential = Credential.x509([bytes.fromhex(certificate) for certificate in identity["chain"]])
    key = bytearray.fromhex(identity["private"])
    return Engine(SUITE, credential, key, validator(bytes.fromhex(authority)))


def follow(engine: Engine, group: Group | None, entry: dict[str, Any], now: int) -> Group:
    """Takes one step of a journal."""
    field = {name: bytes.fromhex(entry[name]) for name in ("state", "tree", "welcome", "secret") if name in entry}
    match entry["step"]:
        case "load":
            return engine.load(field["state"], field["tree"])
        case "join":
            return engine.join(field["welcome"], [field["secret"]], now)
    assert group is not None
    if entry["step"] == "apply":
        group.apply(bytes.fromhex(entry["secrets"]))
        return group
    received = as_json(received_from(group, bytes.fromhex(entry["message"]), now))
    assert received == {name: entry[name] for name in received}
    return group


@pytest.mark.parametrize("casting", CASTINGS)
@pytest.mark.parametrize("conversation", [conversation.__name__ for conversation in CONVERSATIONS])
def test_a_conversation_with_ts_mls_goes_the_same_way_again(conversation: str, casting: str) -> None:
    recorded = transcript(casting)
    for member in recorded["conversations"][conversation]["members"].values():
        engine = engine_of(member["identity"], recorded["authority"])
        group: Group | None = None
        for entry in member["journal"]:
            group = follow(engine, group, entry, recorded["now"])
            assert group.epoch == entry["epoch"]
            assert group.epoch_authenticator().hex() == entry["epoch_authenticator"]
            assert group.tree_hash().hex() == entry["tree_hash"]


@pytest.mark.parametrize("casting", CASTINGS)
@pytest.mark.parametrize("conversation", [conversation.__name__ for conversation in CONVERSATIONS])
def test_an_observer_follows_the_handshakes_of_both_sides(conversation: str, casting: str) -> None:
    recorded = transcript(casting)
    first, *others = recorded["conversations"][conversation]["watcher"]
    validate = validator(bytes.fromhex(recorded["authority"]))
    observer = Observer.open(bytes.fromhex(first["group_info"]), validate, None, recorded["now"])
    assert len(others) > 0
    for entry in others:
        observer.process(bytes.fromhex(entry["message"]), recorded["now"])
        assert (observer.epoch, observer.tree_hash().hex()) == (entry["epoch"], entry["tree_hash"])


@pytest.mark.parametrize("casting", CASTINGS)
def test_a_recorded_message_changed_in_one_bit_is_refused(casting: str) -> None:
    recorded = transcript(casting)
    (member, *_) = recorded["conversations"]["welcome_and_messages"]["members"].values()
    engine = engine_of(member["identity"], recorded["authority"])
    group: Group | None = None
    for entry in member["journal"]:
        if entry["step"] == "process":
            break
        group = follow(engine, group, entry, recorded["now"])
    assert group is not None
    changed = bytearray.fromhex(entry["message"])
    changed[-1] ^= 1
    with pytest.raises(MlsError):
        group.process(bytes(changed), recorded["now"])
