"""Whether a certificate was withdrawn: revocation lists (RFC 5280) and stapled OCSP responses (RFC 6960)."""
