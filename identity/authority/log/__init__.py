"""The log of issued certificates (RFC 6962): a Merkle tree with inclusion and consistency proofs."""
