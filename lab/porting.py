"""What the operator of both authorities does when a number goes to somebody else, as `authority port-out` does it."""

from identity.authority.folder import open_store
from identity.authority.status.revocations import end_tokens, revoke_number
from identity.authority.tokens.folder import open_token_store
from identity.number import TelephoneNumber
from identity.status.revocation import Reason
from lab.world import World


def port_out(world: World, number: TelephoneNumber) -> int:
    """Let the number go, beside the running authority; returns how many certificates it had."""
    folder, now = world.folder / "authority", int(world.clock())
    tokens, store = open_token_store(folder), open_store(folder)
    try:
        with tokens.transaction():
            tokens.forget_number(number, now)
        with store.transaction():
            end_tokens(store, number.digits, now)
            return len(revoke_number(store, number.digits, Reason.privilege_withdrawn, now))
    finally:
        tokens.close()
        store.close()
