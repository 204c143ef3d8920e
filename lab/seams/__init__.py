"""How the lab switches a guard off for a while; the product has no way to do it, and nothing of this is in it."""
