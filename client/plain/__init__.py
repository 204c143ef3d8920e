"""The line mode: everything that the terminal client can do, as numbered menus on append-only lines.

For screen readers, simple terminals and scripts. It knows no widget, no colour and no cursor but the real one.
"""
