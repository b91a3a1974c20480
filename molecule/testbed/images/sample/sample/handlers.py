"""What each path answers."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timezone
from typing import Any

from aiohttp import web

from sample import faults, health, page, pets, tokens
from sample.broker import Broker
from sample.cache import Cache
from sample.chaos import Chaos
from sample.config import Config
from sample.consul import Consul
from sample.database import Database
from sample.documents import Documents
from sample.sockets import Sockets

SLOWEST = 300.0
PAGE_SIZE = 100
LARGEST_ID = 2**63 - 1
TOKEN_LIFETIME = 3600


class Handlers:
    def __init__(
        self,
        config: Config,
        chaos: Chaos,
        database: Database | None,
        cache: Cache | None,
        broker: Broker | None,
        *,
        consul: Consul | None,
        documents: Documents | None = None,
    ) -> None:
        self._config = config
        self._chaos = chaos
        self._database = database
        self._cache = cache
        self._broker = broker
        self._consul = consul
        self._documents = documents
        self.sockets = Sockets()

    @property
    def version(self) -> str:
        return self._chaos.faults.version or self._config.version

    def routes(self) -> list[web.RouteDef]:
        config = self._config
        bases = {"", "/api", config.path_prefix, f"{config.path_prefix}/api"}
        # Every operation answers at the root and below /api, because some proxies route only one of them to us.
        found = [route for base in sorted(bases) for route in self._operations(base)]
        return [*found, *(web.get(f"{root}/", self.root) for root in sorted({"", config.path_prefix}))]

    def _operations(self, base: str) -> list[web.RouteDef]:
        operations = [
            web.get(f"{base}/health", self.health),
            web.get(f"{base}/version", self.show_version),
            web.get(f"{base}/slow", self.slow),
            web.get(f"{base}/echo-headers", self.echo_headers),
            web.get(f"{base}/pets", self.list_pets),
            web.post(f"{base}/pets", self.create_pet),
            web.get(f"{base}/pets/count", self.count_pets),
            web.get(base + r"/pets/{id:\d+}", self.show_pet),
            web.get(base + "/cache/{key}", self.get_cache),
            web.put(base + "/cache/{key}", self.put_cache),
            web.get(f"{base}/documents", self.count_documents),
            web.get(base + "/documents/{id}", self.get_document),
            web.put(base + "/documents/{id}", self.put_document),
            web.post(f"{base}/queue", self.enqueue),
            web.get(f"{base}/queue", self.show_queue),
            web.get(base + "/work/{id}", self.show_work),
            web.post(f"{base}/publish", self.publish),
            web.get(f"{base}/messages", self.messages),
            web.get(f"{base}/config", self.show_configuration),
            web.get(base + "/discover/{name}", self.discover),
            web.post(f"{base}/tokens", self.issue_token),
            web.get(f"{base}/tokens/subject", self.token_subject),
            web.get(f"{base}/ws", self.websocket),
            web.get(f"{base}/_event", self.websocket),
        ]
        if self._config.allow_faults:
            operations += [
                web.get(f"{base}/faults", self.show_faults),
                web.post(f"{base}/faults", self.change_faults),
                web.delete(f"{base}/faults", self.clear_faults),
            ]
        return operations

    async def root(self, _request: web.Request) -> web.Response:
        if self._config.role == "portal":
            html = page.render(self._config.service, self.version, self._config.api_url)
            return web.Response(text=html, content_type="text/html")
        return web.json_response({"service": self._config.service, "version": self.version})

    async def health(self, _request: web.Request) -> web.Response:
        database = health.NOT_CONFIGURED
        schema_ready = True
        if self._database is not None:
            database = await self._database.state()
            schema_ready = self._database.schema_ready
        others = await self._others()
        healthy = health.is_healthy(database, schema_ready, self._chaos.faults.unhealthy)
        healthy = healthy and health.DISCONNECTED not in others.values()
        document = health.document(
            healthy=healthy,
            now=datetime.now(timezone.utc),
            service=self._config.service,
            environment=self._config.environment,
            database=database,
            git_commit=self._config.git_commit,
            version=self.version,
            others=others,
        )
        return web.json_response(document, status=200 if healthy else 503, headers={"Cache-Control": "no-store"})

    async def _others(self) -> dict[str, str]:
        """The stores of an application whose database is MongoDB."""
        if self._documents is None:
            return {}
        found = {"mongodb": await self._documents.state()}
        return {**found, "redis": await self._cache.state()} if self._cache else found

    async def show_version(self, _request: web.Request) -> web.Response:
        return web.json_response({"version": self.version, "git_commit": self._config.git_commit})

    async def slow(self, request: web.Request) -> web.Response:
        try:
            seconds = float(request.query.get("seconds", "5"))
        except ValueError:
            raise bad_request("seconds: write a number") from None
        if not 0 <= seconds <= SLOWEST:
            raise bad_request(f"seconds: write a number from 0 to {SLOWEST:g}")
        await asyncio.sleep(seconds)
        return web.json_response({"seconds": seconds, "version": self.version})

    async def echo_headers(self, request: web.Request) -> web.Response:
        names = sorted({name.lower() for name in request.headers})
        headers = {name: ", ".join(request.headers.getall(name)) for name in names}
        return web.json_response({"headers": headers, "remote": request.remote})

    async def list_pets(self, request: web.Request) -> web.Response:
        after = whole(request, "after", 0, LARGEST_ID)
        limit = whole(request, "limit", PAGE_SIZE, 1000)
        return web.json_response(await self._need_database().pets(after, limit))

    async def create_pet(self, request: web.Request) -> web.Response:
        try:
            pet = pets.parse(await body(request))
        except pets.PetError as error:
            raise bad_request(str(error)) from error
        number, made = await self._need_database().create_pet(pet, self.version)
        answer = {"id": number, "request_id": pet.request_id, "created": made}
        return web.json_response(answer, status=201 if made else 200)

    async def count_pets(self, request: web.Request) -> web.Response:
        count = await self._need_database().count(request.query.get("request_prefix", ""))
        return web.json_response({"count": count})

    async def show_pet(self, request: web.Request) -> web.Response:
        number = int(request.match_info["id"])
        pet = await self._need_database().pet(number) if number <= LARGEST_ID else None
        if pet is None:
            raise problem(web.HTTPNotFound, "no such pet")
        return web.json_response(pet)

    async def get_cache(self, request: web.Request) -> web.Response:
        value = await self._need_cache().get(request.match_info["key"])
        if value is None:
            raise problem(web.HTTPNotFound, "no such key")
        return web.Response(body=value, content_type="text/plain", charset="utf-8")

    async def put_cache(self, request: web.Request) -> web.Response:
        await self._need_cache().put(request.match_info["key"], await request.read())
        return web.json_response({"key": request.match_info["key"], "stored": True})

    async def count_documents(self, _request: web.Request) -> web.Response:
        return web.json_response({"count": await self._need_documents().count()})

    async def get_document(self, request: web.Request) -> web.Response:
        document = await self._need_documents().get(request.match_info["id"])
        if document is None:
            raise problem(web.HTTPNotFound, "no such document")
        return web.json_response(document)

    async def put_document(self, request: web.Request) -> web.Response:
        document = await body(request)
        if not isinstance(document, dict) or any(not name or name[0] == "$" for name in document):
            raise bad_request("send a JSON object whose names do not begin with a dollar sign")
        await self._need_documents().put(request.match_info["id"], document)
        return web.json_response({"id": request.match_info["id"], "stored": True})

    async def enqueue(self, request: web.Request) -> web.Response:
        item = await body(request)
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise bad_request("send a JSON object with id, and with seconds where it shall take time")
        await self._need_cache().push(self._config.queue, json.dumps(item).encode())
        return web.json_response({"id": item["id"], "queued": True}, status=202)

    async def show_queue(self, _request: web.Request) -> web.Response:
        waiting, taken = await self._need_cache().lengths(self._config.queue)
        done = await self._need_documents().work_done()
        return web.json_response({"waiting": waiting, "taken": taken, "done": done})

    async def show_work(self, request: web.Request) -> web.Response:
        found = await self._need_documents().work(request.match_info["id"])
        if found is None:
            raise problem(web.HTTPNotFound, "nobody has done this yet")
        return web.json_response(found)

    async def publish(self, request: web.Request) -> web.Response:
        await self._need_broker().publish(await request.read())
        return web.json_response({"published": True})

    async def messages(self, _request: web.Request) -> web.Response:
        broker = self._need_broker()
        return web.json_response({"connected": broker.connected, "received": broker.received})

    async def show_configuration(self, _request: web.Request) -> web.Response:
        return web.json_response({"value": self._need_consul().configuration})

    async def discover(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        found, milliseconds = await self._need_consul().discover(name)
        if not found:
            raise problem(web.HTTPNotFound, f"no healthy instance of {name}")
        listed = [vars(instance) for instance in found]
        return web.json_response({**listed[0], "milliseconds": round(milliseconds, 3), "instances": listed})

    async def issue_token(self, request: web.Request) -> web.Response:
        received = await body(request)
        subject = received.get("subject") if isinstance(received, dict) else None
        if not isinstance(subject, str) or not subject:
            raise bad_request("send a JSON object with subject")
        token = tokens.issue(self._need_key(), subject, int(time.time()) + TOKEN_LIFETIME)
        return web.json_response({"token": token}, status=201)

    async def token_subject(self, request: web.Request) -> web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise problem(web.HTTPUnauthorized, "send Authorization: Bearer and a token")
        try:
            subject = tokens.subject_of(self._need_key(), token, int(time.time()))
        except tokens.TokenError as error:
            raise problem(web.HTTPUnauthorized, str(error)) from error
        return web.json_response({"subject": subject})

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        return await self.sockets.echo(request, self.version)

    async def show_faults(self, _request: web.Request) -> web.Response:
        return web.json_response(vars(self._chaos.faults))

    async def change_faults(self, request: web.Request) -> web.Response:
        changes = await body(request)
        if not isinstance(changes, dict):
            raise bad_request("send a JSON object of switches")
        try:
            wanted = faults.changed(self._chaos.faults, changes)
        except faults.FaultError as error:
            raise bad_request(str(error)) from error
        self._chaos.throw(wanted)
        return web.json_response(vars(wanted))

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._chaos.throw(faults.NONE)
        return web.json_response(vars(faults.NONE))

    def _need_database(self) -> Database:
        if self._database is None:
            raise problem(web.HTTPNotImplemented, "no database is configured: set DB_HOST or DATABASE_URL")
        return self._database

    def _need_cache(self) -> Cache:
        if self._cache is None:
            raise problem(web.HTTPNotImplemented, "no cache is configured: set REDIS_HOST")
        return self._cache

    def _need_documents(self) -> Documents:
        if self._documents is None:
            raise problem(web.HTTPNotImplemented, "no document store is configured: set MONGO_HOST")
        return self._documents

    def _need_broker(self) -> Broker:
        if self._broker is None:
            raise problem(web.HTTPNotImplemented, "no broker is configured: set MQTT_BROKER_URL")
        return self._broker

    def _need_consul(self) -> Consul:
        if self._consul is None:
            raise problem(web.HTTPNotImplemented, "no Consul is configured: set CONSUL_HTTP_ADDR")
        return self._consul

    def _need_key(self) -> str:
        if not self._config.jwt_secret:
            raise problem(web.HTTPNotImplemented, "no signing key is configured: set JWT_SECRET")
        return self._config.jwt_secret


def problem(kind: type[web.HTTPError], message: str) -> web.HTTPError:
    return kind(text=json.dumps({"error": message}), content_type="application/json")


def bad_request(message: str) -> web.HTTPError:
    return problem(web.HTTPBadRequest, message)


def whole(request: web.Request, name: str, default: int, largest: int) -> int:
    raw = request.query.get(name, str(default))
    if not raw.isdecimal() or len(raw) > 19 or int(raw) > largest:
        raise bad_request(f"{name}: write a whole number from 0 to {largest}")
    return int(raw)


async def body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        raise bad_request("the body is not JSON") from None
