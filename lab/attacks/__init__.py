"""One file for each attack; `catalogue` lists them in the order in which they are told."""
