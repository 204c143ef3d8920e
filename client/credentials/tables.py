"""The tables of credentials in the store; times as in client.schema."""

CREDENTIALS = """
"""
