"""What is read of the answers of any ACME server, no more than is used (RFC 8555 §7.1, RFC 9447 §3, RFC 9448 §7)."""

import msgspec


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """What a server asks of new accounts."""

    terms_of_service: str = ""
    external_account_required: bool = False


class Directory(msgspec.Struct, frozen=True, rename="camel"):
    """Where each kind of request goes (RFC 8555 §7.1.1)."""

    new_nonce: str
    new_account: str
    new_order: str
    revoke_cert: str = ""
    key_change: str = ""
    meta: Meta = Meta()


class Subproblem(msgspec.Struct, frozen=True):
    """What is wrong with one identifier of an order (RFC 8555 §6.7.1)."""

    type: str = "about:blank"


class AcmeProblem(msgspec.Struct, frozen=True):
    """A refusal (RFC 8555 §6.7), or what became of a challenge; a server may leave any member out."""

    type: str = "about:blank"
    title: str = ""
    status: int = 0
    detail: str = ""
    check: int | None = None  # of identity.authority.acme.wire: the failed check of an authority token
    retry_after: int | None = None
    subproblems: list[Subproblem] | None = None


class Order(msgspec.Struct, frozen=True):
    """An order (RFC 8555 §7.1.3); `x5u` is where the certificate is published (RFC 9448 §7)."""

    status: str
    authorizations: list[str] = []
    finalize: str = ""
    certificate: str | None = None
    x5u: str | None = None
    error: AcmeProblem | None = None


class Challenge(
    msgspec.Struct,
    frozen=True,
    rename={"tkauth_type": "tkauth-type", "token_authority": "token-authority"},
):
    """A challenge; `token_authority` is the address of one whose tokens the server takes."""

    type: str
    url: str
    status: str = "pending"
    tkauth_type: str = ""
    token_authority: str = ""
    error: AcmeProblem | None = None


class Authorization(msgspec.Struct, frozen=True):
    """What is to be proved before an order is ready (RFC 8555 §7.1.4)."""

    status: str
    challenges: list[Challenge] = []
