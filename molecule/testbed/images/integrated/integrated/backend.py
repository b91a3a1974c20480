"""The backend: FastAPI on Uvicorn, over the sample application's database and documents."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Annotated, Any

import uvicorn
from fastapi import APIRouter, Body, FastAPI, Query, Request, WebSocket
from fastapi.responses import JSONResponse
from sample import database as databases
from sample import health, pets
from sample.config import DatabaseConfig, database
from sample.database import Database
from sample.environment import ConfigError, text
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integrated.sockets import Sockets

HOST, PORT = "127.0.0.1", 8000
SERVICE = "integrated"
SLOWEST = 300
LARGEST_ID = 2**63 - 1

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stdout"}},
    "root": {"handlers": ["out"], "level": "INFO"},
}


@dataclass(frozen=True)
class About:
    """What the backend says of itself."""

    version: str
    git_commit: str
    environment: str


def serve(env: Mapping[str, str]) -> int:
    config = database(env)
    if config is None:
        raise ConfigError("DB_HOST: no database is configured")
    about = About(
        version=text(env, "APP_VERSION", "0.0.0"),
        git_commit=text(env, "GIT_COMMIT", "unknown"),
        environment=text(env, "ENVIRONMENT", "production"),
    )
    uvicorn.run(
        application(about, config),
        host=HOST,
        port=PORT,
        backlog=1024,
        # Longer than nginx keeps its idle connections (60 s), so that nginx is the one that closes them.
        timeout_keep_alive=75,
        # When the container stops, the frontend has ended before; what is left then is short.
        timeout_graceful_shutdown=8,
        ws_ping_interval=25,
        server_header=False,
        log_config=LOGGING,
    )
    return 0


class VersionHeader:
    """Every answer says which version gave it."""

    def __init__(self, app: ASGIApp, version: str) -> None:
        self._app = app
        self._header = (b"x-app-version", version.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), self._header]}
            await send(message)

        await self._app(scope, receive, with_version if scope["type"] == "http" else send)


def application(about: About, config: DatabaseConfig) -> FastAPI:
    sockets = Sockets()

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        found = await Database.open(config)
        app.state.database = found
        preparing = asyncio.create_task(found.prepare_schema(migrate=True))
        yield
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        await found.close()

    app = FastAPI(title=SERVICE, version=about.version, lifespan=life, docs_url=None, redoc_url=None)
    app.add_middleware(VersionHeader, version=about.version)
    for kind in databases.ERRORS:
        app.add_exception_handler(kind, unavailable)
    routes = operations(about, sockets)
    # At the root for who asks the port itself, and below /api for who comes through the frontend.
    app.include_router(routes)
    app.include_router(routes, prefix="/api")

    @app.post("/sockets/close")
    async def close_sockets() -> dict[str, int]:
        # Not below /api: the frontend passes it on for nobody.
        return {"closed": await sockets.close()}

    return app


def operations(about: About, sockets: Sockets) -> APIRouter:
    router = APIRouter()

    @router.get("/health")
    async def show_health(request: Request) -> JSONResponse:
        found: Database = request.app.state.database
        state = await found.state()
        healthy = health.is_healthy(state, found.schema_ready, told_unhealthy=False)
        document = health.document(
            healthy=healthy,
            now=datetime.now(timezone.utc),
            service=SERVICE,
            environment=about.environment,
            database=state,
            git_commit=about.git_commit,
            version=about.version,
        )
        return JSONResponse(document, 200 if healthy else 503, headers={"Cache-Control": "no-store"})

    @router.get("/version")
    async def show_version() -> dict[str, str]:
        return {"version": about.version, "git_commit": about.git_commit}

    @router.get("/slow")
    async def slow(seconds: Annotated[float, Query(ge=0, le=SLOWEST)] = 5) -> dict[str, Any]:
        await asyncio.sleep(seconds)
        return {"seconds": seconds, "version": about.version}

    @router.get("/echo-headers")
    async def echo_headers(request: Request) -> dict[str, dict[str, str]]:
        names = sorted(set(request.headers.keys()))
        return {"headers": {name: ", ".join(request.headers.getlist(name)) for name in names}}

    @router.post("/pets")
    async def create_pet(request: Request, body: Annotated[Any, Body()]) -> JSONResponse:
        try:
            pet = pets.parse(body)
        except pets.PetError as error:
            return JSONResponse({"error": str(error)}, 400)
        number, made = await request.app.state.database.create_pet(pet, about.version)
        return JSONResponse({"id": number, "request_id": pet.request_id, "created": made}, 201 if made else 200)

    @router.get("/pets")
    async def list_pets(
        request: Request,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=0, le=1000)] = 100,
    ) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await request.app.state.database.pets(after, limit)
        return found

    @router.get("/pets/count")
    async def count_pets(request: Request, request_prefix: str = "") -> dict[str, int]:
        return {"count": await request.app.state.database.count(request_prefix)}

    @router.get("/pets/{number}")
    async def show_pet(request: Request, number: int) -> JSONResponse:
        pet = await request.app.state.database.pet(number) if 0 <= number <= LARGEST_ID else None
        return JSONResponse(pet) if pet else JSONResponse({"error": "no such pet"}, 404)

    @router.websocket("/ws")
    async def websocket(socket: WebSocket) -> None:
        await sockets.echo(socket, about.version)

    return router


async def unavailable(_request: Request, error: Exception) -> JSONResponse:
    """The database is down, starting, or refuses us."""
    return JSONResponse({"error": type(error).__name__}, 503)
