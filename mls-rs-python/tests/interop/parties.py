"""The two kinds of member in a conversation: one of mls_rs, and one of another implementation in a child process."""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import mls_rs
from mls_rs import Application, Approval, Commit, Credential, Engine, Group, Observer

from .certificates import SUITE, Identity, chain_content

KEY_PACKAGE_LIFETIME = 86_400


@dataclass(frozen=True, slots=True)
class Received:
    kind: str  # "application", "proposal" or "commit"
    data: bytes = b""
    authenticated_data: bytes = b""
    removed_self: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What one member believes of the group."""

    epoch: int
    epoch_authenticator: bytes
    members: tuple[tuple[int, bytes, bytes], ...]  # leaf index, credential content, signature key


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an implementation's interface lets a member do."""

    rotates: bool = True  # commits a new credential
    proposes_updates: bool = True
    encodes_external_pub: bool = True  # as opaque<V> (RFC 9420 §12.4.3.2)


class RefusedError(Exception):
    """A party's implementation refused a request."""


class Party(Protocol):
    identity: Identity
    abilities: Abilities

    def key_package(self) -> bytes: ...
    def create(self, group_id: bytes) -> None: ...
    def join(self, welcome: bytes) -> None: ...
    def external_join(self, group_info: bytes) -> bytes: ...
    def commit(
        self,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        path: bool = False,
        rotate: Identity | None = None,
    ) -> tuple[bytes, bytes | None]: ...
    def merge(self) -> None: ...
    def propose_add(self, key_package: bytes) -> bytes: ...
    def propose_remove(self, index: int) -> bytes: ...
    def propose_update(self) -> bytes: ...
    def process(self, message: bytes) -> Received: ...
    def encrypt(self, data: bytes, authenticated_data: bytes) -> bytes: ...
    def group_info(self) -> bytes: ...
    def view(self) -> View: ...
    def export(self, label: str, context: bytes, length: int) -> bytes: ...


class OwnParty:
    """A member on mls_rs. It notes what a later run needs to go the same way without the other side."""

    abilities = Abilities()

    def __init__(self, identity: Identity, validate: Callable[[Credential, bytes, int], Approval], now: int) -> None:
        self.identity = identity
        self.journal: list[dict[str, Any]] = []
        self._validate = validate
        self._now = now
        self._engine = Engine(SUITE, identity.credential, bytearray(identity.private), validate)
        self._group: Group | None = None
        self._key_package_secret = b""
        self._pending_secrets = b""
        self._successor: tuple[Identity, Engine] | None = None

    @property
    def group(self) -> Group:
        assert self._group is not None
        return self._group

    def _note(self, step: str, **fields: Any) -> None:
        delta = self.group.delta()
        self.group.ack(delta.token)
        if step == "load":
            fields = {"state": delta.state.hex(), "tree": self.group.tree().hex()}
        beliefs = {
            "epoch": self.group.epoch,
            "epoch_authenticator": self.group.epoch_authenticator().hex(),
            "tree_hash": self.group.tree_hash().hex(),
        }
        self.journal.append({"step": step, **fields, **beliefs})

    def key_package(self) -> bytes:
        key_package = self._engine.key_package(self._now, lifetime=KEY_PACKAGE_LIFETIME)
        self._key_package_secret = key_package.secret
        return key_package.message

    def create(self, group_id: bytes) -> None:
        self._group = self._engine.create(group_id, self._now)
        self._note("load")

    def join(self, welcome: bytes) -> None:
        self._group = self._engine.join(welcome, [self._key_package_secret], self._now)
        self._note("join", welcome=welcome.hex(), secret=self._key_package_secret.hex())

    def external_join(self, group_info: bytes) -> bytes:
        self._group, commit, _ = self._engine.external_join(group_info, self._now)
        self._note("load")
        return commit

    def commit(
        self,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        path: bool = False,
        rotate: Identity | None = None,
    ) -> tuple[bytes, bytes | None]:
        if rotate is not None:
            self._successor = rotate, self._engine.rotate(rotate.credential, bytearray(rotate.private))
        engine = None if self._successor is None else self._successor[1]
        pending = self.group.commit(self._now, add=add, remove=remove, path=path, identity=engine)
        self._pending_secrets = pending.secrets
        return pending.commit, next(iter(pending.welcomes), None)

    def merge(self) -> None:
        self.group.apply(self._pending_secrets)
        if self._successor is not None:
            self.identity, self._engine = self._successor
            self._successor = None
        self._note("apply", secrets=self._pending_secrets.hex())

    def propose_add(self, key_package: bytes) -> bytes:
        message = self.group.propose_add(key_package, self._now)
        self._note("load")
        return message

    def propose_remove(self, index: int) -> bytes:
        message = self.group.propose_remove(index)
        self._note("load")
        return message

    def propose_update(self) -> bytes:
        message = self.group.propose_update(self._now)
        self._note("load")
        return message

    def process(self, message: bytes) -> Received:
        received = received_from(self.group, message, self._now)
        self._note("process", message=message.hex(), **as_json(received))
        return received

    def encrypt(self, data: bytes, authenticated_data: bytes) -> bytes:
        message = self.group.encrypt(data, authenticated_data)
        self.group.ack(self.group.delta().token)
        return message

    def group_info(self) -> bytes:
        return self.group.group_info()

    def view(self) -> View:
        return View(self.group.epoch, self.group.epoch_authenticator(), members_of(self.group))

    def export(self, label: str, context: bytes, length: int) -> bytes:
        return bytes(self.group.export(label.encode(), context, length))


def received_from(group: Group, message: bytes, now: int) -> Received:
    try:
        received = group.process(message, now)
    except mls_rs.MlsError as error:
        raise RefusedError(error.code) from error
    match received:
        case Application():
            return Received("application", received.data, received.authenticated_data)
        case Commit():
            return Received("commit", removed_self=received.removed_self)
        case _:
            return Received("proposal")


def as_json(received: Received) -> dict[str, Any]:
    data, authenticated_data = received.data.hex(), received.authenticated_data.hex()
    return {
        "kind": received.kind,
        "data": data,
        "authenticated_data": authenticated_data,
        "removed_self": received.removed_self,
    }


def members_of(group: Group | Observer) -> tuple[tuple[int, bytes, bytes], ...]:
    return tuple(
        (member.index, chain_content(member.credential.chain), member.signature_key) for member in group.members()
    )


class Watcher:
    """A delivery service's view: an Observer that gets every handshake and no secret."""

    def __init__(self, group_info: bytes, validate: Callable[[Credential, bytes, int], Approval], now: int) -> None:
        self._now = now
        self._observer = Observer.open(group_info, validate, None, now)
        self.journal: list[dict[str, Any]] = []
        self._note("group_info", group_info)

    def _note(self, step: str, message: bytes) -> None:
        tree_hash = self._observer.tree_hash().hex()
        self.journal.append({"step": step, step: message.hex(), "epoch": self.epoch, "tree_hash": tree_hash})

    @property
    def epoch(self) -> int:
        return self._observer.epoch

    def process(self, message: bytes) -> None:
        self._observer.process(message, self._now)
        self._note("message", message)

    def members(self) -> tuple[tuple[int, bytes, bytes], ...]:
        return members_of(self._observer)


class PeerParty:
    """A member in a child process that answers JSON lines."""

    def __init__(self, command: Sequence[str], identity: Identity, abilities: Abilities = Abilities()) -> None:
        self.identity = identity
        self.abilities = abilities
        self._successor: Identity | None = None
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._send(identity.to_json())

    def _send(self, line: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def _ask(self, op: str, **fields: Any) -> dict[str, Any]:
        self._send({"op": op, **fields})
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "the peer has ended"}
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer

    def close(self) -> None:
        with self._process as process:
            process.kill()

    def key_package(self) -> bytes:
        return bytes.fromhex(self._ask("key_package")["message"])

    def create(self, group_id: bytes) -> None:
        self._ask("create", group_id=group_id.hex())

    def join(self, welcome: bytes) -> None:
        self._ask("join", welcome=welcome.hex())

    def external_join(self, group_info: bytes) -> bytes:
        return bytes.fromhex(self._ask("external_join", group_info=group_info.hex())["commit"])

    def commit(
        self,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        path: bool = False,
        rotate: Identity | None = None,
    ) -> tuple[bytes, bytes | None]:
        self._successor = rotate
        added = [key_package.hex() for key_package in add]
        new = rotate and rotate.to_json()
        answer = self._ask("commit", add=added, remove=list(remove), path=path, rotate=new)
        welcome = answer["welcome"]
        return bytes.fromhex(answer["commit"]), None if welcome is None else bytes.fromhex(welcome)

    def merge(self) -> None:
        self._ask("merge")
        self.identity, self._successor = self._successor or self.identity, None

    def propose_add(self, key_package: bytes) -> bytes:
        return bytes.fromhex(self._ask("propose", add=key_package.hex())["message"])

    def propose_remove(self, index: int) -> bytes:
        return bytes.fromhex(self._ask("propose", remove=index)["message"])

    def propose_update(self) -> bytes:
        return bytes.fromhex(self._ask("propose")["message"])

    def process(self, message: bytes) -> Received:
        answer = self._ask("process", message=message.hex())
        data, authenticated_data = (bytes.fromhex(answer.get(name, "")) for name in ("data", "authenticated_data"))
        return Received(answer["kind"], data, authenticated_data, answer.get("removed_self", False))

    def encrypt(self, data: bytes, authenticated_data: bytes) -> bytes:
        answer = self._ask("encrypt", data=data.hex(), authenticated_data=authenticated_data.hex())
        return bytes.fromhex(answer["message"])

    def group_info(self) -> bytes:
        return bytes.fromhex(self._ask("group_info")["message"])

    def view(self) -> View:
        state = self._ask("state")
        members = tuple(
            (member["index"], bytes.fromhex(member["credential"]), bytes.fromhex(member["signature_key"]))
            for member in state["members"]
        )
        return View(state["epoch"], bytes.fromhex(state["epoch_authenticator"]), members)

    def export(self, label: str, context: bytes, length: int) -> bytes:
        return bytes.fromhex(self._ask("export", label=label, context=context.hex(), length=length)["secret"])
