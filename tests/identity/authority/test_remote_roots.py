"""One authority's roots at another: fetched when needed, kept while they cannot be fetched, never from elsewhere."""

import asyncio
import threading

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from identity.authority import remote_roots
from identity.authority.acme.app import TokenAuthorities
from identity.authority.app import open_certificates, open_tokens
from identity.authority.codes import CodeOutbox
from identity.authority.errors import RefusedError, RootsError
from identity.authority.remote_roots import REFRESH, RETRY_AFTER, RootsAt, fetch_limited, read_limited, roots_from
from identity.authority.serving import taken_tokens
from identity.authority.status.remote import ListsAt
from identity.certificates import TrustAnchors, verify_chain
from identity.enrolment.authority_token import TokenIssuers
from identity.issuing import create_root
from lab.serving import listening
from tests.identity.authority.conftest import ALICE
from tests.identity.authority.ordering import BASE_URL, AcmeAccount, one

NOW = 1_795_000_000


def root(name: str) -> x509.Certificate:
    return create_root(name, NOW, 86_400)[1]


class Shelf:
    """A server of files, which can be exchanged and taken away."""

    def __init__(self, **files: bytes) -> None:
        self.files = files
        self.asked = 0

    def app(self, _: str) -> Starlette:
        return Starlette(routes=[Route("/away", self._away), Route("/at/{name}", self._file)])

    async def _away(self, _: Request) -> Response:
        return RedirectResponse("/at/anchors.pem")

    async def _file(self, request: Request) -> Response:
        self.asked += 1
        content = self.files.get(request.path_params["name"].removesuffix(".pem"))
        return Response(status_code=404) if content is None else Response(content)


def pem(*roots: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in roots)


async def test_roots_are_fetched_once_an_hour_and_count_on_while_they_cannot_be_had():
    first, second = root("One"), root("Two")
    shelf = Shelf(anchors=pem(first))
    async with listening(shelf.app) as url:
        source = RootsAt(url, "at/anchors.pem")
        assert shelf.asked == 0
        for moment in (NOW, NOW + REFRESH - 1):
            assert await asyncio.to_thread(source.at, moment) == (first,)
        assert shelf.asked == 1
        shelf.files["anchors"] = pem(second)
        assert await asyncio.to_thread(source.at, NOW + REFRESH) == (second,)
        del shelf.files["anchors"]
        asked = shelf.asked
        for late in (0, 1, RETRY_AFTER - 1):  # whoever asks in between does not wait for what does not answer
            assert await asyncio.to_thread(source.at, NOW + 9 * REFRESH + late) == (second,)
        assert shelf.asked == asked + 1
        shelf.files["anchors"] = pem(first)
        assert await asyncio.to_thread(source.at, NOW + 9 * REFRESH + RETRY_AFTER) == (first,)


async def test_an_answer_in_small_pieces_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(remote_roots, "TIMEOUT", 0)

    class Dripping(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                yield b"x"

    answer = httpx.Response(200, stream=Dripping(), request=httpx.Request("GET", "http://slow.example"))
    with pytest.raises(OSError, match="longer"):
        read_limited(answer, 10**9)


@pytest.mark.parametrize("content", [None, b"", b"nothing"])
async def test_roots_that_were_never_to_be_had_are_asked_for_again(content):
    shelf = Shelf() if content is None else Shelf(anchors=content)
    async with listening(shelf.app) as url:
        source = RootsAt(url, "at/anchors.pem")
        with pytest.raises(RefusedError) as caught:
            await asyncio.to_thread(source.at, NOW)
        assert (caught.value.word, caught.value.extensions) == ("authority-unreachable", {"retry_after": 30})
        shelf.files["anchors"] = pem(root("One"))
        assert len(await asyncio.to_thread(source.at, NOW)) == 1


async def test_nothing_is_followed_and_nothing_is_read_beyond_the_limit():
    shelf = Shelf(anchors=b"x" * 100)
    async with listening(shelf.app) as url:
        assert await asyncio.to_thread(fetch_limited, f"{url}/at/anchors.pem", 100) == b"x" * 100
        for address, limit in ((f"{url}/at/anchors.pem", 99), (f"{url}/away", 1_000), (f"{url}/at/none.pem", 1_000)):
            with pytest.raises(OSError, match="answers"):
                await asyncio.to_thread(fetch_limited, address, limit)
    for address in (f"{url}/at/anchors.pem", "http://[", "nowhere"):
        with pytest.raises(OSError, match=":"):
            await asyncio.to_thread(fetch_limited, address, 1_000)


def test_roots_of_files_are_read_at_once(tmp_path):
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    roots = root("One"), root("Two")
    one.write_bytes(pem(roots[0]))
    other.write_bytes(pem(roots[1]))

    assert roots_from([str(one), str(other)], "at/anchors.pem")(NOW) == roots
    with pytest.raises(RootsError, match="give them as PEM"):
        roots_from([str(tmp_path)], "at/anchors.pem")


def test_clients_hear_of_the_first_token_authority_that_has_an_address(tmp_path):
    file = tmp_path / "one.pem"
    file.write_bytes(pem(root("One")))

    assert taken_tokens([str(file), "http://a/", "http://b"]).url == "http://a"
    assert taken_tokens([str(file)]).url is None
    assert taken_tokens([str(file)], ["tokens.example"]).issuers(NOW).x5u_hosts == {"tokens.example"}


async def test_an_order_waits_for_a_token_authority_that_cannot_be_reached(
    authority, device, tmp_path, clock, acme_problem
):
    """The roots come later; the order, its challenge and the token are as good as before."""
    held: list[x509.Certificate] = []

    def issuers(_: int) -> TokenIssuers:
        if not held:
            raise RefusedError("authority-unreachable", "try again in a while", retry_after=30)
        return TokenIssuers(held)

    app = open_certificates(tmp_path / "certificates", BASE_URL, TokenAuthorities(issuers, None), clock)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as http:
        await waits(await AcmeAccount(http).register(), authority, device, held, acme_problem)
    app.state.store.close()


async def waits(account, authority, device, held, acme_problem) -> None:
    order = await account.order(one(device.number))
    challenge, code = await authority.challenge()
    response = await authority.token(challenge, account.by_code(code, device.number, device.key))
    token = response.json()["token"]

    response = await account.answer(order, token)

    assert acme_problem(response)[0] == "connection"
    assert (response.status_code, response.headers["retry-after"]) == (503, "30")
    held.extend(x509.load_pem_x509_certificates((await authority.http.get("/at/anchors.pem")).content))
    assert (await account.answer(order, token)).json()["status"] == "valid"


async def test_a_list_of_revocations_that_cannot_be_had_is_asked_for_again_after_a_while(authority, device, clock):
    chain = verify_chain((await authority.enrol(device)).chain, await authority.anchors(), clock.now)
    asked = []

    async def nothing(_: Request) -> Response:
        asked.append(1)
        return Response(status_code=404)

    async with listening(lambda _: Starlette(routes=[Route("/v1/crl", nothing)])) as url:
        lists = ListsAt([url])
        for late, count in ((0, 1), (1, 1), (RETRY_AFTER - 1, 1), (RETRY_AFTER, 2)):
            with pytest.raises(RefusedError):
                await asyncio.to_thread(lists.refuse_revoked, chain, clock.now + late)
            assert len(asked) == count


async def test_codes_are_sent_while_devices_wait_for_an_authority_elsewhere(authority, device, clock, tmp_path):
    account, issued = await authority.account(), await authority.enrol(device)
    asked, answered = asyncio.Event(), threading.Event()
    loop, roots = asyncio.get_running_loop(), (await authority.anchors()).roots

    def anchors(_: int) -> TrustAnchors:
        loop.call_soon_threadsafe(asked.set)
        answered.wait()
        return TrustAnchors(roots)

    app = open_tokens(tmp_path / "alone", BASE_URL, CodeOutbox(), clock, anchors=anchors)
    served = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL)
    async with app.router.lifespan_context(app), served as http:
        headers = {"content-type": "application/json"}
        requests = [account.by_device(issued.chain, device.key, ALICE, device.key, clock.now) for _ in range(12)]
        waiting = [
            asyncio.create_task(
                http.post("/at/account/device/token", content=msgspec.json.encode(request), headers=headers)
            )
            for request in requests
        ]
        await asked.wait()
        try:
            async with asyncio.timeout(8):
                sent = await http.post("/v1/challenges", json={"number": ALICE.e164})
        finally:
            answered.set()
        assert sent.status_code == 201
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {403}  # it proved nothing itself
