"""A display name that is somebody else's."""

import io
from base64 import b64encode
from contextlib import redirect_stdout
from pathlib import Path

from client.terminal.token_rendering import tell_token
from client.terminal.voices import Terminal
from client.tokens import find_tokens, judge_token
from client.words.wording import VERDICT_WORDS
from identity.attestation import Expected
from identity.certificates import ChainVerifier
from identity.passport import message_digest
from identity.verdict import Verdict
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.forgery import sign_values
from lab.seams import display
from lab.stage import Stage

BANK, TEXT = "Your bank", b"Please call us back about your card."
SENT = "an honest proof of her own number, with a name beside it (RFC 9795)"


async def run(stage: Stage) -> Outcome:
    """Sign a message from Mallory's number that asks to be presented as a bank, and have Alice verify it."""
    device, now = stage.mallory.device, stage.now()
    carried = [b64encode(each).decode("ascii") for each in device.chain]
    claims: dict[str, object] = {
        "dest": {"tn": [stage.alice.number.digits]},
        "iat": now,
        "msgi": message_digest(TEXT),
        "orig": {"tn": device.number.digits},
        "rcd": {"nam": BANK},
    }
    token = sign_values(device.key, {"alg": "ES256", "ppt": "msg", "typ": "passport", "x5c": carried}, claims)
    chains = ChainVerifier(await stage.world.anchors())
    judged = await judge_token(find_tokens(token)[0], TEXT, Expected(now, device.number, ()), chains)
    drawn = io.StringIO()
    with redirect_stdout(drawn):
        tell_token(Terminal(Path(), as_json=False, passphrase_fd=None, passphrase_file=None), judged)
    shown = " ".join(drawn.getvalue().split())
    reason, badge = f"The screen says: {shown[: shown.find(' 0 ')]}", VERDICT_WORDS[judged.verification.verdict]
    if BANK in shown and "by no issuer; the number is verified, the name is not" in shown:
        return Outcome(display.CLAIMED.guard, reason, badge, sent=SENT)
    won = judged.verification.verdict is Verdict.VERIFIED and BANK in shown
    return Outcome(None, reason, badge, sent=SENT, won=won)


ATTACK = Attack(
    "bank-name",
    "Be called a bank",
    "Mallory signs with her own, proven number, and asks to be presented as a bank.",
    display.CLAIMED.guard,
    run,
    story=(
        "Mallory's number is genuine, and a proof may say how its sender wants to be presented: she says that she is a "
        "bank, and hopes that the name looks as proven as the number beside it. In Ringtrue's own chats no such name "
        "counts at all. Whoever verifies a token from elsewhere is told whose word the name is, the signer's or the "
        "issuer's who allows no other, and that it was not verified."
    ),
    has="a number of her own, with a certificate",
    sees="the name as claimed by the signer alone, beside the number",
    without=(display.CLAIMED,),
)
