"""The fault simulator: real clients and replicas in one process, in virtual time, with faults drawn from a seed."""
