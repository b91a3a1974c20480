"""Whether registries have an image, asked of small real ones."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.preflight import registry
from ansible_collections.composeops.stack.plugins.module_utils.preflight.registry import (
    Image,
    credentials,
    parse_image,
    refusal,
)
from ansible_collections.composeops.stack.tests.unit.support.servers import free_port, http_server

LOGIN = registry.basic("ops", "secret")
DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres", Image("docker.io", "library/postgres", "latest")),
        ("postgres:15-alpine", Image("docker.io", "library/postgres", "15-alpine")),
        ("petcare/backend:1.0.0", Image("docker.io", "petcare/backend", "1.0.0")),
        ("docker.io/postgres:15", Image("docker.io", "library/postgres", "15")),
        ("ghcr.io/a/b/c:1", Image("ghcr.io", "a/b/c", "1")),
        ("localhost:5000/a:1", Image("localhost:5000", "a", "1")),
        ("registry.example:5000/a", Image("registry.example:5000", "a", "latest")),
        (f"postgres@{DIGEST}", Image("docker.io", "library/postgres", DIGEST)),
        (f"postgres:15@{DIGEST}", Image("docker.io", "library/postgres", DIGEST)),
    ],
)
def test_names_are_taken_apart_as_the_engine_does(text: str, expected: Image) -> None:
    assert parse_image(text) == expected


@pytest.mark.parametrize("text", ["", "a b", ":1", "postgres:", "postgres:15@sha256:short"])
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not the name of an image"):
        parse_image(text)


def test_logins_are_read_and_docker_hub_is_recognised() -> None:
    configuration = json.dumps(
        {"auths": {"https://index.docker.io/v1/": {"auth": "aHVi"}, "ghcr.io": {"auth": "Z2g="}, "empty.example": {}}}
    )
    assert credentials(configuration) == {"docker.io": "aHVi", "ghcr.io": "Z2g="}
    assert credentials("") == {}


@pytest.mark.parametrize("text", ["nonsense", "[]", '{"auths": [1]}'])
def test_logins_of_another_shape_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="docker login"):
        credentials(text)


class Registry:
    """A registry with one image, behind the kind of login that is asked for."""

    def __init__(self, challenge: str = "", status: int = 200) -> None:
        self.challenge = challenge
        self.status = status
        self.port = 0
        self.seen: list[str] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        authorization = handler.headers.get("Authorization", "")
        self.seen.append(f"{handler.command} {handler.path} {authorization}".strip())
        if handler.path.startswith("/token"):
            self._reply(handler, 200, b'{"token": "t0ken"}')
        elif self.challenge and authorization not in ("Bearer t0ken", f"Basic {LOGIN}"):
            challenge = self.challenge.format(port=self.port)
            self._reply(handler, 401, b"", {"WWW-Authenticate": challenge})
        elif handler.path == "/v2/shop/web/manifests/1.0":
            self._reply(handler, self.status, b"")
        else:
            self._reply(handler, 404, b"")

    def _reply(
        self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        handler.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


BEARER = 'Bearer realm="http://127.0.0.1:{port}/token",service="registry.example",scope="repository:shop/web:pull"'


def ask(server: Registry, image: str = "shop/web:1.0", logins: dict[str, str] | None = None) -> registry.Refusal | None:
    """Ask ``server`` as a registry of its own, which the engine reaches over HTTP because it is on the loopback."""
    with http_server(server.answer) as port:
        server.port = port
        return refusal(parse_image(f"127.0.0.1:{port}/{image}"), [], logins or {}, timeout=2)


def test_image_that_is_there_can_be_pulled() -> None:
    server = Registry()
    assert ask(server) is None
    assert server.seen == ["HEAD /v2/shop/web/manifests/1.0"]


def test_image_that_is_not_there_is_refused() -> None:
    refused = ask(Registry(), "shop/web:9.9")
    assert refused is not None
    assert "answered 404 (not there)" in refused.reason
    assert not refused.transient


def test_token_that_anybody_gets_is_fetched() -> None:
    server = Registry(BEARER)
    assert ask(server) is None
    assert server.seen[1] == "GET /token?service=registry.example&scope=repository%3Ashop%2Fweb%3Apull"
    assert server.seen[2] == "HEAD /v2/shop/web/manifests/1.0 Bearer t0ken"


def test_login_of_the_host_is_used_for_the_token() -> None:
    server = Registry(BEARER)
    with http_server(server.answer) as port:
        server.port = port
        image = parse_image(f"127.0.0.1:{port}/shop/web:1.0")
        assert refusal(image, [], {image.registry: LOGIN}, timeout=2) is None
    assert server.seen[1].endswith(f"Basic {LOGIN}")


def test_basic_login_is_used() -> None:
    server = Registry('Basic realm="x"')
    with http_server(server.answer) as port:
        image = parse_image(f"127.0.0.1:{port}/shop/web:1.0")
        assert refusal(image, [], {image.registry: LOGIN}, timeout=2) is None


@pytest.mark.parametrize("challenge", ['Basic realm="x"', "Bearer", "Negotiate"])
def test_login_that_is_missing_is_asked_for(challenge: str) -> None:
    refused = ask(Registry(challenge))
    assert refused is not None
    assert "401 (not there, or a login is needed)" in refused.reason
    assert "docker login 127.0.0.1:" in refused.remedy


def test_registry_that_limits_requests_does_not_forbid() -> None:
    refused = ask(Registry(status=429))
    assert refused is not None
    assert refused.transient


def test_mirror_is_asked_before_docker_hub() -> None:
    server = Registry()
    with http_server(server.answer) as port:
        assert refusal(parse_image("shop/web:1.0"), [f"http://127.0.0.1:{port}/"], {}, timeout=2) is None
    assert server.seen == ["HEAD /v2/shop/web/manifests/1.0"]


def test_mirror_is_not_asked_for_images_of_other_registries() -> None:
    mirror = Registry()
    with http_server(mirror.answer) as port:
        image = parse_image(f"127.0.0.1:{free_port()}/shop/web:1.0")
        assert refusal(image, [f"http://127.0.0.1:{port}"], {}, timeout=2) is not None
    assert mirror.seen == []


def test_every_source_is_named_when_none_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_base", lambda name: f"http://127.0.0.1:{closed}")
    closed = free_port()
    with http_server(Registry().answer) as port:
        refused = refusal(parse_image("shop/web:9.9"), [f"http://127.0.0.1:{port}"], {}, timeout=2)
    assert refused is not None
    assert refused.reason == (
        f"http://127.0.0.1:{port} answered 404 (not there); Nothing listens on 127.0.0.1:{closed}"
    )
