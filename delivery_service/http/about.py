"""The addresses for whoever runs the service: they need no session, and say nothing about anybody."""

from starlette.requests import Request
from starlette.responses import Response

from delivery_service.service import Service


async def health(request: Request) -> Response:
    """GET /v1/health"""
    return Response(status_code=204)


async def ready(request: Request) -> Response:
    """GET /v1/ready"""
    service: Service = request.app.state.service
    await service.readiness.check()
    return Response(status_code=204)
