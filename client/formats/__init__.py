"""What a message says, in octets: contents, their parts and framing, and the text of others made harmless."""
