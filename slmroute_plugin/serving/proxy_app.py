"""The proxy's HTTP face: OpenAI's chat completions, models, health and metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from slmroute_plugin.serving.api_error import ApiError
from slmroute_plugin.serving.chat_request import unknown_model
from slmroute_plugin.serving.outcome import CANCELLED
from slmroute_plugin.serving.proxy import ClientGone, Proxy

Opened = Callable[[], AbstractAsyncContextManager[Proxy]]


def proxy_app(opened: Opened) -> FastAPI:
    """Return the application, whose models are opened when it starts and closed when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened() as proxy:
            app.state.proxy = proxy
            yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(ApiError)
    async def refuse(request: Request, error: ApiError) -> JSONResponse:
        if not error.request_id:
            app.state.proxy.router.metrics.responses.labels("none", str(error.status)).inc()
        return JSONResponse(error.body, error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        text = f"{request.method} {request.url.path} is not served: {error.detail}."
        body = ApiError(error.status_code, text).body
        return JSONResponse(body, error.status_code, error.headers)

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        proxy: Proxy = app.state.proxy
        proxy.check_key(request)
        try:
            return await proxy.chat(request)
        except ClientGone:
            return Response(status_code=CANCELLED)

    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        proxy: Proxy = app.state.proxy
        proxy.check_key(request)
        return {"object": "list", "data": [_model(name) for name in proxy.targets]}

    @app.get("/v1/models/{name:path}")
    async def model(request: Request, name: str) -> dict[str, Any]:
        proxy: Proxy = app.state.proxy
        proxy.check_key(request)
        if name not in proxy.targets:
            raise unknown_model(name, proxy.targets)
        return _model(name)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        proxy: Proxy = app.state.proxy
        proxy.check_key(request)
        own = proxy.router.metrics
        own.log_failures.set(proxy.router.log.failures)
        return Response(own.text(), media_type="text/plain; version=0.0.4")

    return app


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "slmroute"}
