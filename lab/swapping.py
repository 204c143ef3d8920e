"""A transport that answers every claim for key packages with one key package of the attacker's."""

import httpx
import msgspec

from delivery_service.wire import ClaimedKeyPackages


class Swapping(httpx.AsyncHTTPTransport):
    """Passes everything else on."""

    def __init__(self, key_package: bytes) -> None:
        super().__init__()
        self._answer = msgspec.json.encode(ClaimedKeyPackages([key_package]))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the honest service, and change what it says."""
        response = await super().handle_async_request(request)
        if not request.url.path.endswith("/key-packages/claims") or not response.is_success:
            return response
        await response.aread()
        await response.aclose()
        headers = {"content-type": response.headers["content-type"]}
        return httpx.Response(response.status_code, headers=headers, stream=httpx.ByteStream(self._answer))
