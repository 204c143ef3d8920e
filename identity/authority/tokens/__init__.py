"""The token authority: proves the right to use a number, and says so in an authority token (RFC 9447, RFC 9448)."""
