"""Worlds, attacks and measurements: everything that shows what Ringtrue does. May import every other package."""
