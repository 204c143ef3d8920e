"""The first run's first question: which number, and which services."""

import re
from collections.abc import Callable

import httpx
from textual import on, work
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Button, Input, Label, Static

from client.countries import country, fits_plan
from client.enrolling import Asked, PendingEnrolment, Services, look_at_services
from client.tui.screens.phrases import span
from client.tui.screens.step import Step
from identity.certificates import TrustAnchors
from identity.errors import NumberError
from identity.number import TelephoneNumber

CLOCK_LIMIT = 30  # seconds by which two clocks may differ here; the checks on messages allow 60
FINGERPRINT_GROUP = 4  # hexadecimal digits
# A bare word is no host here: it may as well be a name that was typed into the wrong field.
_BARE = re.compile(
    r"(?P<host>localhost|\[[0-9A-Fa-f:]+\]|[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+)(?::[0-9]{1,5})?(?:/[^\s]*)?"
)
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]")


class NumberStep(Step):
    """Asks for a number, and shows who the services are before anything is sent to them."""

    def __init__(
        self, authority: str, delivery: str, clock: Callable[[], float], transport: httpx.AsyncBaseTransport | None
    ) -> None:
        super().__init__(id="number-step")
        self._addresses = (authority, delivery)
        self._clock = clock
        self._transport = transport
        self._seen: tuple[str, str] | None = None
        self._asked = False
        self._asking: Asked = "authority"
        self.number: TelephoneNumber | None = None
        self.services: Services | None = None

    def compose(self) -> ComposeResult:
        """A number and two addresses, and below each what it was read as."""
        yield Label("Your telephone number, with + and country code", markup=False)
        yield Input(placeholder="+1 202-555-0101", id="number", max_length=40)
        yield Static("Others see that your messages come from it.", id="read-as", classes="quiet", markup=False)
        yield Label("Who certifies the number (authority)", classes="gap", markup=False)
        yield Input(self._addresses[0], id="authority")
        yield Label("Who carries the messages (delivery service)", markup=False)
        yield Input(self._addresses[1], id="delivery")
        yield Static("", id="services", classes="gap", markup=False)
        yield Button("Send me a code", id="go", variant="primary", compact=True)
        yield Static("", classes="going-on", markup=False)

    def enter(self) -> None:
        """Ask the services who they are while the number is being typed."""
        super().enter()
        if self._seen != self.addresses():
            self.check()

    def restore(self, left: PendingEnrolment) -> None:
        """Put back what was entered at another time."""
        for name, value in (("number", left.number), ("authority", left.authority), ("delivery", left.delivery)):
            self.query_one(f"#{name}", Input).value = value
        self.read_number()

    def addresses(self) -> tuple[str, str]:
        """The addresses of the authority and of the delivery service, as typed, with a scheme."""
        authority, delivery = (self.query_one(f"#{name}", Input).value for name in ("authority", "delivery"))
        return whole_address(authority), whole_address(delivery)

    @on(Input.Changed, "#number")
    def read_number(self) -> None:
        """Show the number as it was understood."""
        typed = self.query_one("#number", Input).value.strip()
        shown = self.query_one("#read-as", Static)
        try:
            self.number = TelephoneNumber.parse(typed)
        except NumberError:
            self.number = None
            shown.update(Content("No whole number yet." if typed else "Others see that your messages come from it."))
        else:
            shown.update(Content(_read(self.number)))
        shown.set_classes("quiet" if self.number is None else "")

    @on(Input.Submitted, "#number")
    @on(Button.Pressed, "#go")
    def go(self) -> None:
        """Go on if the number and the services are known; otherwise say what is missing."""
        if self.busy:
            self._asked = True
        elif self.number is None:
            missing = "✗ Write the whole number with + and country code, such as +1\u00a0202-555-0101."
            shown = self.query_one("#read-as", Static)
            shown.update(Content(missing))
            shown.set_classes("bad")
            self.query_one("#number", Input).focus()
        elif self.services is None or self._seen != self.addresses():
            self._asked = True
            self.check()
        elif not self.services.certifies(self.number):
            prefixes = ", ".join(self.services.numbers) or "no prefix at all"
            self.refuse(
                f"This authority certifies only numbers that start with {prefixes}. Correct the number, "
                "or give the address of an authority that certifies it."
            )
        else:
            self.post_message(self.Done())

    @on(Input.Submitted, "#authority")
    def to_delivery(self) -> None:
        """Go on to the next field."""
        self.query_one("#delivery", Input).focus()

    @on(Input.Submitted, "#delivery")
    def look_again(self) -> None:
        """Look at the services that were named, then go on by the button, or in the field that is wrong."""
        self.check(lead=True)

    @work(exclusive=True, group="services")
    async def check(self, lead: bool = False) -> None:
        """Ask both services who they are, and show it; `lead`: put the focus where it goes on."""
        for name, address in zip(("authority", "delivery"), self.addresses(), strict=True):
            self.query_one(f"#{name}", Input).value = address  # what is asked is what stands there
        with self.doing("Asking both services who they are"):
            await self.look()
        if lead:
            self.query_one("#go" if self.services is not None else f"#{self._asking}").focus()
        if self._asked and self.services is not None:
            self.say("This is who they are. Compare, then press Enter again.")
        self._asked = False

    async def look(self) -> Services:
        """Who the services at these addresses are. Raises ClientError."""
        addresses = self.addresses()
        shown = self.query_one("#services", Static)
        shown.update(Content(""))
        self.services = None
        services = await look_at_services(*addresses, self._transport, asking=self._note_asking)
        shown.update(described(services, int(self._clock())))
        self.services, self._seen = services, addresses
        return services

    def _note_asking(self, asked: Asked) -> None:
        self._asking = asked


def whole_address(typed: str) -> str:
    """An address as it is used: a host without a scheme gets https://, one of this machine itself http://."""
    address = typed.strip().rstrip("/")
    match = _BARE.fullmatch(address)
    if match is None:
        return address
    return f"{'http' if _LOOPBACK.fullmatch(match['host']) else 'https'}://{address}"


def _read(number: TelephoneNumber) -> str:
    if fits_plan(number):
        return f"✓ {number}  {country(number)}"
    return f"? {number} does not look like a whole number; look again."


def described(services: Services, now: int) -> Content:
    """Who the services are, for somebody who decides whether to rely on them."""
    numbers = "any number" if "+" in services.numbers else f"numbers with {', '.join(services.numbers) or 'no prefix'}"
    lines = [
        f"✓ {services.name or 'The authority'} certifies {numbers}; {services.host} carries messages.",
        *fingerprint(services.anchors),
    ]
    for who, there in (("authority", services.now), ("delivery service", services.delivery_now)):
        if abs(there - now) > CLOCK_LIMIT:
            lines.append(f"⚠ The {who}'s clock differs by {span(there - now)}: set this computer's clock.")
    return Content("\n".join(lines))


def fingerprint(anchors: TrustAnchors) -> list[str]:
    """The fingerprint of roots in lines that can be compared."""
    digits = anchors.fingerprint.hex()
    groups = [digits[start : start + FINGERPRINT_GROUP] for start in range(0, len(digits), FINGERPRINT_GROUP)]
    half = len(groups) // 2
    title = "Compare the fingerprint of its roots with its operator's:"
    return [title, *(f"  {' '.join(row)}" for row in (groups[:half], groups[half:]))]
