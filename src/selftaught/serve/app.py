"""The server as an ASGI application: routes, errors in OpenAI's shape."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from selftaught.errors import SelftaughtError
from selftaught.serve.backend import Backend
from selftaught.serve.errors import ApiError, of_failure
from selftaught.serve.models import Catalog
from selftaught.serve.responses.routes import install

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse


def create_app(backend: Backend, catalog: Catalog) -> FastAPI:
    """The application over an open backend; whoever made the backend closes it."""
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.containers.close()

    app = FastAPI(title="selftaught", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.backend, app.state.catalog = backend, catalog
    service = install(app, backend, catalog)

    async def failed(request: Request, error: Exception) -> JSONResponse:
        shown = of_failure(error)
        return JSONResponse(shown.body(), shown.status, headers=shown.headers)

    app.add_exception_handler(ApiError, failed)
    app.add_exception_handler(SelftaughtError, failed)

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [catalog.listed(variant) for variant in catalog.variants.values()]}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app
