"""A recording of the demo for people who only look: `python -m lab.recording` writes it into docs/."""
