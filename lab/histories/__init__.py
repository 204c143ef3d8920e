"""Histories of the delivery service under faults, and what they must never show."""
