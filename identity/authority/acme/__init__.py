"""The certification authority over ACME (RFC 8555), with TNAuthList identifiers (RFC 9447, RFC 9448)."""
