"""Which identifiers are certified here. Every function works inside the caller's transaction."""

from identity.authority.acme.errors import AcmeError, as_acme
from identity.authority.acme.wire import Identifier
from identity.authority.admission import check_covered, refuse_withdrawn
from identity.authority.errors import RefusedError
from identity.authority.issuer import Issuer
from identity.authority.store import AuthorityStore
from identity.enrolment.authority_token import read_identifier
from identity.errors import TNAuthListError
from identity.number import TelephoneNumber
from identity.tn_auth_list import TNAuthList


def check_identifier(store: AuthorityStore, issuer: Issuer, identifier: Identifier, now: int) -> TNAuthList:
    """Return what an identifier asks for. Raises AcmeError if it is not certified here now.

    1. it is DER of a TNAuthList in base64url     3. a single number is not withdrawn
    2. the issuer's certificate covers it
    """
    try:
        asked = read_identifier(identifier.value)
    except TNAuthListError as error:
        raise AcmeError("malformed", str(error), identifier=identifier) from error
    number = asked.number
    try:
        if number is None:
            issuer.check_within(asked)
        else:
            check_covered(issuer, number)
            refuse_withdrawn(store, number, now)
    except TNAuthListError as error:
        raise AcmeError("rejectedIdentifier", str(error), identifier=identifier) from error
    except RefusedError as error:
        raise as_acme(error, identifier) from error
    return asked


def refuse_earlier_token(store: AuthorityStore, number: TelephoneNumber, issued_at: int) -> None:
    """Raise AcmeError for a token from before those of its number were ended (`end_tokens`)."""
    row = store.row("SELECT at FROM tokens_ended WHERE number = ?", number.digits)
    if row is not None and issued_at < row[0]:
        words = f"the number has gone to somebody else, or a device of it was removed: prove {number} again"
        raise AcmeError("rejectedIdentifier", words)
