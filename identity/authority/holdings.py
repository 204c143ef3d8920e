"""Holdings: the live certificates of a number, told to whoever holds one of them, so that a foreign one shows."""

import hashlib

from identity.authority import rates
from identity.authority.errors import RefusedError
from identity.authority.issuer import Issuer
from identity.authority.proof import read_proof
from identity.authority.status.revocations import refuse_revoked
from identity.authority.store import AuthorityStore
from identity.authority.wire import (
    HOLDINGS_LIMIT,
    HOLDINGS_PROOF_TYPE,
    PROOF_MAX_AGE,
    Holdings,
    HoldingsClaims,
    HoldingsRequest,
)
from identity.certificates import VerifiedChain, verify_chain
from identity.errors import CertificateError


class HoldingsDesk:
    """Answers by what the store has published; every method may raise RefusedError."""

    def __init__(self, store: AuthorityStore, issuer: Issuer, base_url: str) -> None:
        self._store = store
        self._issuer = issuer
        self._base_url = base_url

    def of(self, request: HoldingsRequest, address: str, now: int) -> Holdings:
        """List the live certificates of the number in a chain that is valid now, on its key's proof."""
        with self._store.transaction():
            rates.admit(self._store, ((rates.HOLDINGS_PER_ADDRESS, address),), now)
        holder = self._holder(request, now)
        claims, digest = read_proof(
            request.proof, holder.public_key, HoldingsClaims, HOLDINGS_PROOF_TYPE, self._base_url, now
        )
        if claims.leaf != hashlib.sha256(request.chain[0]).hexdigest():
            raise RefusedError("proof-refused", "the proof is not for this chain")
        assert holder.number is not None, "checked with the chain"
        with self._store.transaction():
            refuse_revoked(self._store, holder)
            rates.admit(self._store, ((rates.HOLDINGS_PER_NUMBER, holder.number.digits),), now)
            if not self._store.spend_proof(digest, now + 2 * PROOF_MAX_AGE + 1):
                raise RefusedError("proof-replayed", "sign a new proof for each question")
            return Holdings(self._store.holdings(holder.number.digits, now, HOLDINGS_LIMIT))

    def _holder(self, request: HoldingsRequest, now: int) -> VerifiedChain:
        # Without the grace of renewals: who no longer holds the number is told nothing about who does.
        if not request.chain:
            raise RefusedError("chain-refused", "the chain is empty")
        try:
            holder = verify_chain(request.chain, self._issuer.anchors, now)
        except CertificateError as error:
            raise RefusedError("chain-refused", str(error)) from error
        if holder.number is None:
            raise RefusedError("chain-refused", "the certificate is not for a single number")
        return holder
