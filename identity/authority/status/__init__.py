"""The status of certificates: revocation, the list of revoked ones (RFC 5280) and OCSP (RFC 6960)."""
