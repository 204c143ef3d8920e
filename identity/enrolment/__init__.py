"""How a right to use numbers becomes a certificate: ACME (RFC 8555, 9447, 9448) and delegation (RFC 9060)."""
