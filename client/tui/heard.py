"""What the account tells, as a message for screens and widgets."""

from textual.message import Message

from client.desk.told import Told


class Heard(Message, bubble=False):
    """Something happened; the app posts it to every screen on the stack, and a screen hands it to its widgets."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self.told = told
