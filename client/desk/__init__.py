"""The desk: what a person can do with an open account, as one set of calls for screens, scripts and other processes."""
