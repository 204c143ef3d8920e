"""A meeting place that puts itself between two devices of one number."""

import httpx

from client.credentials.link_channel import NONCE_SIZE, LinkChannel
from client.credentials.link_code import new_link_code
from client.credentials.link_messages import Grant, decode, encode
from lab.attacks.attack import Attack
from lab.attacks.outcome import Outcome
from lab.linking import Intruder, at_home
from lab.seams import linking
from lab.stage import Stage

SENT = "a box with Mallory's key, in place of the one with the tablet's"


class _Middle(httpx.AsyncHTTPTransport):
    """Passes boxes on, but for the tablet's key; reads what comes for it, if that can be read."""

    def __init__(self, intruder: Intruder) -> None:
        super().__init__()
        self._intruder = intruder
        self._replaced = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and not self._replaced:
            self._replaced = True
            headers = {"content-type": request.headers["content-type"], "host": request.headers["host"]}
            request = httpx.Request("PUT", request.url, headers=headers, content=self._box())
        response = await super().handle_async_request(request)
        if request.method != "POST" or not self._replaced or response.status_code != httpx.codes.OK:
            return response
        box = await response.aread()
        await response.aclose()
        if request.url.path.startswith("/v1/links/") and not self._intruder.grant.done():
            self._intruder.grant.set_result(decode(box[NONCE_SIZE:], Grant))
        headers = {"content-type": response.headers["content-type"]}
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(box))

    def _box(self) -> bytes:
        """As good as she can: sealed with a code that she has made up, for the tablet's turn."""
        channel = LinkChannel(new_link_code("").secret)
        channel.seal(b"")
        return channel.seal(encode(self._intruder.hello))


async def run(stage: Stage) -> Outcome:
    """Run the place where two devices meet, and hand the first one another key than the tablet's."""
    async with at_home(stage) as home:
        home.use_code(_Middle(home.intruder))
        return await home.compared(SENT)


ATTACK = Attack(
    "link-in-the-middle",
    "Step between two devices",
    "Mallory runs the place where two devices of one person meet, and hands over her own key for the tablet's.",
    linking.SEALS.guard,
    run,
    story=(
        "Dora links a tablet: her telephone shows a code, she types it there, and both meet at the authority. Mallory "
        "runs that meeting place, and wants the telephone to take her key for the tablet's, and so a certificate of "
        "Dora's number and a place in her chats. What the devices say is sealed with a key that the code makes, and "
        "the code goes from screen to screen alone: the telephone cannot open her box, and nothing is given to "
        "anybody. If she had the code as well, the digits on both screens would differ."
    ),
    has="the service where two devices meet",
    sees="an error on both devices; nothing was linked",
    without=(linking.SEALS, linking.DIGITS),
)
