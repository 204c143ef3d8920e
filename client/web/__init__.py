"""The terminal client in a browser: the one importer of textual-serve and aiohttp. Nothing imports this package."""
