"""Certificate transparency for STIR: Merkle trees, signed timestamps and heads (RFC 6962, STI-CT draft)."""
