"""What the client keeps about its dealings with the delivery service: the newest part of the schema."""

DELIVERY = """
"""
