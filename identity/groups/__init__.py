"""What members of an MLS group state and decide about it: roles, evictions, endings, commits that nobody can apply."""
