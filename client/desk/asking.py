"""Contact requests in both directions as views: proven numbers and this program's words, nothing that others wrote."""

from client.defence.admission import STRANGER, Consent
from client.defence.asking import Asked, Asks
from client.desk.people_views import AskState, AskView, ModeView, RequestView
from client.desk.showing import Showing, moment
from client.errors import ClientError
from client.steps.wired import Steps
from client.words.wording import ASK_WORDS, MODE_WORDS, VERDICT_WORDS
from delivery_service.wire import Mode
from identity.binding import Verdict


class ModeError(ClientError):
    """There is no such way to be reached."""

    code = "unknown-mode"
    hint = "Choose open, ask or contacts."
    exit_code = 2


def mode_of(text: str) -> Mode:
    """A mode by its word. Raises ModeError."""
    match text:
        case "open" | "ask" | "contacts":
            return text
    raise ModeError(f"there is no way to be reached that is called {text[:40]!a}")


def mode_view(steps: Steps) -> ModeView:
    """How this account may be reached; the numbers are what the service is to know, which is none while it is open."""
    mode = steps.asking.mode
    closed = mode != "open"
    return ModeView(
        mode=mode,
        words=MODE_WORDS[mode],
        granted=len(steps.asking.to_grant()) if closed else 0,
        blocked=len(steps.groups.contacts.blocked()) if closed else 0,
    )


def ask_view(steps: Steps, asked: Asked, now: int) -> AskView:
    """A number that this account has asked."""
    state: AskState = "granted" if asked.granted else "waiting" if asked.expires_at > now else "lapsed"
    return AskView(
        number=asked.number.e164,
        name=steps.groups.contacts.get(asked.number).name or None,
        at=moment(asked.at),
        ends=moment(asked.expires_at),
        state=state,
        words=ASK_WORDS[state],
    )


def asking_views(steps: Steps, showing: Showing, consent: Consent) -> list[RequestView]:
    """Who asks to reach this account and waits, or is held back."""
    return [_asks_view(showing, asks, consent) for asks in steps.asking.asking(consent)]


def _asks_view(showing: Showing, asks: Asks, consent: Consent) -> RequestView:
    alike, alike_name = showing.alike(asks.number.e164)
    return RequestView(
        kind="contact",
        group="",
        number=asks.number.e164,
        direct=True,
        members=2,
        messages=0,
        label=VERDICT_WORDS[Verdict.VERIFIED],
        why=asks.why or STRANGER,
        alike=alike,
        alike_name=alike_name,
        at=moment(asks.at),
        rule=asks.rule,
        held=consent is Consent.QUARANTINE,
        status=showing.status(asks.number),
    )
