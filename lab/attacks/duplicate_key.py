"""JSON that two readers read differently."""

from identity.passport import canonical_json
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome, check
from lab.forgery import msg_header
from lab.seams import checks
from lab.stage import Stage


async def run(stage: Stage) -> Outcome:
    """Name `orig` twice: one parser takes the first, another the last."""
    framed = stage.mallory.framed(stage.group, "Which orig do you see?")
    claims = canonical_json(stage.mallory.claims(stage.group, framed))
    doubled = claims[:-1] + b',"orig":' + canonical_json({"tn": stage.alice.number.digits}) + b"}"
    header = canonical_json(msg_header(stage.mallory.x5u))
    return await stage.send_proven(stage.mallory.sign_octets(header, doubled), framed)


ATTACK = Attack(
    "duplicate-key",
    "Name two origins",
    "Mallory's proof has `orig` twice: her own number for the check, Alice's for the screen.",
    check(1),
    run,
    story=(
        "Readers of JSON differ on what a name means that stands there twice. Mallory has a signature of her own "
        "over such a text, and wants one reader to check her number and another one to show Alice's. Proofs have "
        "one form only: the recipient sees PROOF FAILED, and the message is held back."
    ),
    has="a signature over JSON with a name twice",
    sees="PROOF FAILED; the message is held back",
    without=(checks.BOUNDS, checks.NUMBER, checks.REPLAY),
)
