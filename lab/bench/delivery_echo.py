"""The least that HTTP costs: the delivery service's server and framework around an endpoint that does nothing.

`python -m lab.bench.delivery_echo` prints its address on standard error and serves until it is terminated.
"""

import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def _accept(request: Request) -> Response:
    await request.body()
    return Response(b'{"seq":1,"epoch":0}', 201, media_type="application/json")


if __name__ == "__main__":
    app = Starlette(routes=[Route("/v1/groups/{group}/entries", _accept, methods=["POST"])])
    config = uvicorn.Config(app, loop="uvloop", http="httptools", ws="none", access_log=False, log_level="warning")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stderr.write(f"at http://127.0.0.1:{listener.getsockname()[1]}\n")
        uvicorn.Server(config).run([listener])
