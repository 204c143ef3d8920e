"""Conversations between mls_rs and independent MLS implementations."""
