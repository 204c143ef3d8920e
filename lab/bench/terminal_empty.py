"""The floor of the terminal client's measurements: a Textual app with one field and nothing else; run with -m."""

from textual.app import App, ComposeResult
from textual.widgets import Input

PLACEHOLDER = "An empty app"


class EmptyApp(App[None]):
    """One field, which has the focus; its cursor does not blink, as none does in the client."""

    def compose(self) -> ComposeResult:
        """The field."""
        field = Input(placeholder=PLACEHOLDER)
        field.cursor_blink = False
        yield field


if __name__ == "__main__":
    EmptyApp().run()
