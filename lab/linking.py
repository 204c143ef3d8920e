"""Two devices of one person, and the person between them, while somebody is in the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from client.credentials.enrolment import EnrolmentClient
from client.credentials.link_code import LinkCode
from client.credentials.link_here import Keep, Linked, link_here
from client.credentials.link_messages import Grant, Hello
from client.credentials.linking import Linking, LinkProgress, LinkState
from client.credentials.token_authority import thumbprint
from client.errors import ClientError, LinkError
from identity.certificates import public_point
from identity.number import TelephoneNumber
from lab.attacks.outcome import Outcome
from lab.ordering import order
from lab.seams.linking import linking
from lab.stage import Stage
from lab.world import COST, PASSPHRASE

PATIENCE = 20  # seconds
NAME = "Dora's tablet"
BADGE = "✗ NOT LINKED"


@dataclass(slots=True)
class Intruder:
    """Mallory's key and account, which she wants to be taken for the new device's; `grant` is what she gets for it."""

    account: EnrolmentClient
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    grant: "asyncio.Future[Grant]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def hello(self) -> Hello:
        """What the new device would say, about her."""
        return Hello(NAME, public_point(self.key.public_key()), thumbprint(self.account.acme.key))

    async def use_grant(self, sent: str) -> Outcome:
        """Order a certificate on what the first device has granted."""
        grant = await asyncio.wait_for(self.grant, PATIENCE)
        return await order(self.account, grant.token, TelephoneNumber.parse(grant.number), self.key, sent)


@dataclass(slots=True)
class Tablet:
    """The new device, and the person before it; `digits` is what it shows, once it shows any."""

    folder: Path
    stage: Stage
    digits: "asyncio.Future[str]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def compare(self, digits: str) -> None:
        """Show them."""
        self.digits.set_result(digits)

    async def agrees(self, number: TelephoneNumber, authority: str) -> bool:
        """The person wants this number here."""
        return True

    async def protect(self, keep: Keep) -> None:
        """The person types a passphrase."""
        await keep(PASSPHRASE)

    def hear(self, words: str) -> None:
        """The person waits."""

    async def link(self, code: LinkCode, transport: httpx.AsyncBaseTransport | None) -> Linked:
        """Be linked with the code that was carried here. Raises ClientError."""
        return await link_here(
            self.folder,
            code,
            self,
            authority=self.stage.world.authority_url,
            name=NAME,
            cost=COST,
            clock=self.stage.world.clock,
            transport=transport,
            jitter=0,
        )


@dataclass(slots=True)
class Home:
    """Dora's two devices, of which the first one shows a code, and Mallory."""

    linking: Linking
    code: LinkCode
    tablet: Tablet
    intruder: Intruder
    _task: "asyncio.Task[Linked] | None" = None

    def use_code(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Let the tablet be linked; `transport` carries what it says."""
        self._task = asyncio.create_task(self.tablet.link(self.code, transport))

    async def compared(self, sent: str) -> Outcome:
        """Let Dora look at both devices and answer, and Mallory use what she is given for that."""
        here = await self.until_comparing()
        if here.error is not None:
            return _refused(here.error, sent)
        there = await self._digits_there()
        self.linking.answer(agreed=here.comparison == there)
        if isinstance(there, LinkError):
            return _refused(there, sent)
        if here.comparison != there:
            words = f"The first device shows {here.comparison}, the tablet {there}: Dora says no."
            return Outcome(linking("comparison"), words, BADGE, sent=sent)
        return await self.intruder.use_grant(sent)

    async def until_comparing(self) -> LinkProgress:
        """How it stands once the first device has heard of another one, or has ended it."""
        progress = self.linking.progress
        while progress is not None and progress.state is LinkState.WAITING:
            progress = await self.linking.changed(progress.step, PATIENCE)
        assert progress is not None, "a linking has begun"
        return progress

    async def _digits_there(self) -> str | LinkError:
        assert self._task is not None, "the tablet was told the code"
        await asyncio.wait((self._task, self.tablet.digits), return_when=asyncio.FIRST_COMPLETED)
        if self.tablet.digits.done():
            return self.tablet.digits.result()
        error = self._task.exception()
        assert isinstance(error, LinkError), f"the tablet ended with {error!r}"
        return error

    async def close(self) -> None:
        """Put both devices away."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.linking.cancel()


@asynccontextmanager
async def at_home(stage: Stage) -> AsyncIterator[Home]:
    """Let Dora, who is new each time, show a code on her first device."""
    async with (
        stage.newcomer("Dora") as dora,
        EnrolmentClient(stage.world.authority_url, clock=stage.world.clock) as account,
    ):
        with TemporaryDirectory(dir=stage.world.folder, prefix="tablet-") as folder:
            code = (await dora.linking.start()).code
            home = Home(dora.linking, code, Tablet(Path(folder), stage), Intruder(account))
            try:
                yield home
            finally:
                await home.close()


def _refused(error: ClientError, sent: str) -> Outcome:
    return Outcome(linking(error.code), f"{error}.", BADGE, sent=sent)
