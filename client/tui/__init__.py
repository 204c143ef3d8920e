"""The terminal client: the one importer of Textual."""
