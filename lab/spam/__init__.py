"""The spam laboratory: populations of real clients, spammers with genuine numbers, and what each defence changes."""
