"""Coverage-guided fuzzing of every parser of octets that others send to `identity`."""
