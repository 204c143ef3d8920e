"""The issuing service: proves control of a number by a one-time code and certifies a device key for it."""
