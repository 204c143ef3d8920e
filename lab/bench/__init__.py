"""Measurements: each module's `run(quick)` returns rows, each with a floor measured in the same run."""
