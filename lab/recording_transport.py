"""A transport that keeps what it has sent."""

import httpx


class Recording(httpx.AsyncHTTPTransport):
    """Passes everything on, and remembers each request."""

    def __init__(self) -> None:
        super().__init__()
        self._sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send and keep."""
        self._sent.append(request)
        return await super().handle_async_request(request)

    def last(self, path_end: str) -> httpx.Request:
        """The last request to such an address, to be sent again as it is."""
        request = next(each for each in reversed(self._sent) if each.url.path.endswith(path_end))
        return httpx.Request(request.method, request.url, headers=request.headers.raw, content=request.content)
