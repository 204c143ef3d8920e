"""Words for people, the same on every screen and line."""
