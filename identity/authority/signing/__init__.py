"""Signing and verifying for existing telephone infrastructure (3GPP TS 24.229 Annex V, ATIS-1000082)."""
