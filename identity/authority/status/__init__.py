"""The status of what was issued: revoking, the signed list of revocations, and the OCSP responder."""
