"""What the signing service refuses a request with."""

from identity.authority.errors import AuthorityError
from identity.authority.signing.wire import FAILURES


class CallRefusedError(AuthorityError):
    """A request is answered with the failure of this id; `variables` stand for %1, %2 in its text."""

    def __init__(self, message_id: str, *variables: str) -> None:
        self.status, self.text = FAILURES[message_id]
        super().__init__(f"{message_id} {self.text} {variables}")
        self.message_id = message_id
        self.variables = variables
