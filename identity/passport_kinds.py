"""The registered types of PASSporT (IANA, header `ppt`): what each of them says, and which ones a recipient takes."""

from dataclasses import dataclass

BASE_CLAIMS = frozenset({"dest", "iat", "orig"})  # RFC 8225 §5: in every PASSporT
DISPLAY_CLAIMS = frozenset({"crn", "rcd", "rcdi"})  # RFC 9795 §8: may stand in a PASSporT of any type


@dataclass(frozen=True, slots=True)
class Kind:
    """One type: what its tokens say, and the claims that they have; None where they are not read."""

    ppt: str
    says: str
    claims: frozenset[str] | None = None

    @property
    def name(self) -> str:
        """How the type is called in a sentence."""
        return f"a {self.ppt} PASSporT" if self.ppt else "a PASSporT without a type"


MESSAGE = Kind("msg", "attests a message (RFC 9475)", BASE_CLAIMS | {"msgi"})
CALL = Kind("shaken", "attests a call (RFC 8588)", BASE_CLAIMS | {"attest", "origid"})
KINDS = {
    kind.ppt: kind
    for kind in (
        MESSAGE,
        Kind("", "attests who communicates with whom (RFC 8225), and covers no content", BASE_CLAIMS),
        CALL,
        Kind("div", "attests that a call was diverted (RFC 8946)", BASE_CLAIMS | {"div"}),
        Kind("div-o", "attests that a call was diverted (RFC 8946), around the token of that call"),
        Kind("rcd", "states how a caller is to be presented (RFC 9795)", BASE_CLAIMS),
        Kind("rph", "authorises the priority of a call (RFC 8443)"),
        Kind("msec", "binds the keys of a call's media (RFC 8862)"),
        Kind("rsp", "attests who answered a call (RFC 9970)"),
    )
}
READ = frozenset(kind.ppt for kind in KINDS.values() if kind.claims is not None)


@dataclass(frozen=True, slots=True)
class Profile:
    """Which tokens a recipient takes; the default is what stands inside an MLS group.

    `kinds`: values of `ppt`, "" for none.  `x5c`: the header may carry the chain (RFC 9060 §5).  `display`: the claims
    of RFC 9795 may be there.  `uris`: `orig` may be a URI (TrustPolicy.uri_identities).
    """

    kinds: frozenset[str] = frozenset({"msg"})
    x5c: bool = False
    display: bool = False
    uris: bool = False


IN_GROUPS = Profile()


def why_not(ppt: object) -> str:
    """Say what a token of this type is, where another type is wanted."""
    kind = KINDS.get(ppt) if isinstance(ppt, str) else None
    if kind is None:
        return "a PASSporT of a type that is not registered is not taken (RFC 8225 §8.1)"
    return f"{kind.name} {kind.says}, and is not taken here"
