"""The first run, question by question; every step can be left, and the next start goes on there."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from client.countries import country
from client.credentials.account import Account
from client.credentials.link_here import Keep
from client.enrolling import Enrolment, PendingEnrolment, Services, look_at_services, pending_enrolment
from client.errors import CodeEndedError
from client.failures import EXPECTED
from client.formats.text import safe_text
from client.passphrase import acceptable, strength
from client.plain.linking import LinkedHere
from client.plain.paper import EndedError, Paper
from client.plain.phrases import date_and_time
from client.records.service_facts import kept_for
from client.storage.home import Home
from client.storage.keys import keyring_available
from identity.authority.wire import ChallengeOpened
from identity.errors import NumberError
from identity.number import TelephoneNumber

T = TypeVar("T")

AGAIN = "again"  # what asks for another code
LINK = "link"  # what is written instead of a number that another device has
CLOCK_LIMIT = 30  # seconds by which two clocks may differ here; the checks on messages allow 60
GROUP = 4  # hexadecimal digits of a fingerprint
ABOUT = (
    "Ringtrue carries end-to-end encrypted messages, and every message proves the number that it came from.",
    "NUMBER VERIFIED means: whoever wrote this message controlled this number when it was signed.",
    "It does not say who a person is, or that they mean well.",
    "To begin you need a telephone number that can receive a code. You can leave at any step with Ctrl+C; "
    "the next start goes on there.",
    "Is your number on another device already? Then write link instead of a number.",
)


async def first_run(paper: Paper, folder: Path, authority: str, delivery: str, given: str | None) -> str | None:
    """Make an account; returns its passphrase, None if a keyring holds its key. A `given` one is not asked for.

    By a number and a code, or from another device. Raises EndedError, and ClientError if the account cannot be kept
    under the given passphrase.
    """
    home = Home(folder)
    left = pending_enrolment(home)
    if left is None:
        for words in ABOUT:
            paper.say(words)
        left = PendingEnrolment("", authority, delivery)
    else:
        paper.say("An enrolment was begun here and is not finished. Enter keeps what was entered.")
    while (entered := await _entered(paper, home, left)) is None:
        linking = LinkedHere(paper, partial(_kept, given=given))
        if await linking.link(folder, left.authority):
            return linking.passphrase
    enrolment, services = entered
    account = await _certified(paper, enrolment, services)

    async def keep(passphrase: str | None) -> None:
        await asyncio.to_thread(enrolment.keep, account, passphrase)

    paper.say("Step 4 of 4: everything is stored encrypted.")
    passphrase = await _kept(paper, keep, given)
    paper.say("Stored. Your account is ready.")
    paper.say(kept_for(services.retention))
    return passphrase


async def _entered(paper: Paper, home: Home, left: PendingEnrolment) -> tuple[Enrolment, Services] | None:
    """Step 1: a number, and two services that certify and carry it; None if another device has the number."""
    paper.say("Step 1 of 4: your number.")
    while True:
        number = await _number(paper, left.number)
        if number is None:
            return None
        authority = await _or(paper, "Who certifies it (authority)?", left.authority)
        delivery = await _or(paper, "Who carries messages (delivery service)?", left.delivery)
        left = PendingEnrolment(number.e164, authority, delivery)
        try:
            services = await look_at_services(authority, delivery)
        except EXPECTED as error:
            paper.trouble(error)
            continue
        for words in _described(services):
            paper.say(words)
        if not services.certifies(number):
            paper.say(f"This authority does not certify {number}. Give another number, or another authority.")
        elif await paper.agreed("Go on with these, and send a code?"):
            enrolment = Enrolment(home, number, authority, delivery)
            await _until_done(paper, _begin(enrolment))
            return enrolment, services


def _begin(enrolment: Enrolment) -> Callable[[], Awaitable[None]]:
    async def begin() -> None:
        enrolment.begin()

    return begin


async def _number(paper: Paper, before: str) -> TelephoneNumber | None:
    while True:
        typed = await _or(paper, f"Your number, with + and country code? Or {LINK}?", before)
        if typed.lower() == LINK:
            return None
        try:
            number = TelephoneNumber.parse(typed)
        except NumberError as error:
            paper.trouble(error)
            continue
        place = country(number)
        paper.say(f"Read as {number}{f', {place}' if place else ''}.")
        return number


async def _certified(paper: Paper, enrolment: Enrolment, services: Services) -> Account:
    """Steps 2 and 3: the code, and the certificate for it."""
    opened = await _challenge(paper, enrolment, again=False)
    while True:
        code = (await paper.ask(f"The code (or {AGAIN}, for another one):")).replace(" ", "")
        if code.lower() == AGAIN:
            opened = await _challenge(paper, enrolment, again=True)
            continue
        try:
            account = await enrolment.certify(opened, code, services.anchors)
        except CodeEndedError as error:
            paper.trouble(error)
            opened = await _challenge(paper, enrolment, again=True)
        except EXPECTED as error:
            paper.trouble(error)
        else:
            paper.say(f"Step 3 of 4: certified, until {_until(account)}. It renews itself.")
            return account


async def _challenge(paper: Paper, enrolment: Enrolment, *, again: bool) -> ChallengeOpened:
    opened = await _until_done(paper, lambda: enrolment.challenge(again=again))
    paper.say(f"Step 2 of 4: a code of {opened.digits} digits was sent to {enrolment.number}.")
    paper.say("Nobody else needs it, and nobody will ask for it in a message.")
    minutes = max(0, opened.expires_at - int(time.time())) // 60
    paper.say(f"It can be used for {minutes} minutes. An authority for trying things out shows it in its terminal.")
    return opened


async def _kept(paper: Paper, keep: Keep, given: str | None) -> str | None:
    """Where the key of the encrypted store is kept; `keep` does it."""
    while True:
        passphrase = given or await _protection(paper)
        try:
            await keep(passphrase)
        except EXPECTED as error:
            if given:
                raise
            paper.trouble(error)
        else:
            return passphrase


async def _protection(paper: Paper) -> str | None:
    if keyring_available() and await paper.agreed("This system has a keyring. Let it hold the key?"):
        return None
    while True:
        first = await paper.ask("Choose a passphrase (it is not shown):", hidden=True)
        paper.say(strength(first))
        if not acceptable(first):
            continue
        if await paper.ask("The same again:", hidden=True) == first:
            return first
        paper.say("The two are not the same.")


async def _until_done(paper: Paper, step: Callable[[], Awaitable[T]]) -> T:
    """Try until it is done, or nobody wants to try again. Raises EndedError."""
    while True:
        try:
            return await step()
        except EXPECTED as error:
            paper.trouble(error)
            if not await paper.agreed("Try again?"):
                raise EndedError from error


async def _or(paper: Paper, question: str, before: str) -> str:
    """An answer, or what was there before for Enter alone."""
    known = f" (Enter for {safe_text(before).text})" if before else ""
    return (await paper.ask(f"{question}{known}")).strip() or before


def _described(services: Services) -> Iterator[str]:
    """Who the services are, for somebody who decides whether to rely on them."""
    numbers = "any number" if "+" in services.numbers else f"numbers with {', '.join(services.numbers) or 'no prefix'}"
    yield f"{services.name or 'The authority'} certifies {numbers}; {services.host} carries messages."
    digits = services.anchors.fingerprint.hex()
    groups = " ".join(digits[start : start + GROUP] for start in range(0, len(digits), GROUP))
    yield f"Compare the fingerprint of its roots with its operator's: {groups}"
    for who, there in (("authority", services.now), ("delivery service", services.delivery_now)):
        apart = abs(there - int(time.time()))
        if apart > CLOCK_LIMIT:
            yield f"CAUTION: the {who}'s clock differs by {apart} seconds. Set this computer's clock."


def _until(account: Account) -> str:
    return date_and_time(datetime.fromtimestamp(account.validity()[1], UTC))
