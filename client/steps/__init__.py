"""The steps of an account: each a function in one transaction of the store, none of which waits for a network."""
