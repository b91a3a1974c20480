"""A bed host with an engine, and a small stack of its own on it: a web service, a Redis with data, and a secret."""

from __future__ import annotations

import json
import socket
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import BedHost

STACK = "stacktest"
SECRET = "CACHE_PASSWORD"
PLAYBOOK = """\
- name: An engine to deploy to
  hosts: composeops
  become: true
  gather_facts: false
  roles: [docker_engine]
"""

COMPOSE = """\
services:
  cache:
    image: redis:7-alpine
    restart: unless-stopped
    command:
      - sh
      - -euc
      - |
        exec docker-entrypoint.sh redis-server - <<END
        requirepass $$(cat /run/secrets/cache_password)
        appendonly yes
        dir /data
        END
    secrets: [cache_password]
    volumes: [cache_data:/data]
    ports: ["6379:6379"]
    healthcheck:
      test: [CMD-SHELL, "REDISCLI_AUTH=$$(cat /run/secrets/cache_password) redis-cli ping | grep -q PONG"]
      interval: 5s
      start_period: 20s
      start_interval: 1s
  web:
    image: petcare/backend:${VERSION:?}
    restart: unless-stopped
    entrypoint: [sh, -euc, 'echo "the password is $$(cat /run/secrets/cache_password)"; exec sample serve']
    environment:
      PORT: "3000"
      REDIS_HOST: cache
      REDIS_PASSWORD_FILE: /run/secrets/cache_password
      START_DELAY: ${START_DELAY:-0}
      SAMPLE_FAULT_UNHEALTHY: ${UNHEALTHY:-0}
    secrets: [cache_password]
    volumes: ["./files/motto:/motto:ro"]
    ports: ["8080:3000"]
    depends_on: {cache: {condition: service_healthy}}
    healthcheck:
      test: [CMD, sample, healthcheck]
      interval: 5s
      start_period: 20s
      start_interval: 1s
  init:
    image: petcare/backend:${VERSION:?}
    entrypoint: ["true"]
volumes: {cache_data: {}}
secrets:
  cache_password: {environment: CACHE_PASSWORD}
"""


@dataclass
class StackHost:
    """The host, the directory of the stack on the controller, and what its deployments ask for."""

    bed: BedHost
    directory: Path
    environment: dict[str, str] = field(default_factory=lambda: {"VERSION": "1.0.0"})

    def options(self, **changes: Any) -> dict[str, Any]:
        return {
            "name": STACK,
            "compose_file": str(self.directory / "compose.yaml"),
            "files_directory": str(self.directory / "files"),
            "environment": self.environment,
            "secrets": [SECRET],
            "routed": [{"service": "web", "port": 3000}],
            "port_base": 24000,
            "health": {"attempts": 10, "interval": 3},
            **changes,
        }

    def deploy(self, *, check: bool = False, diff: bool = False, fault: str = "", **changes: Any) -> dict[str, Any]:
        """Deploy the stack; with ``fault`` the run is killed where that says."""
        environment = {"COMPOSEOPS_FAULT": fault} if fault else None
        return self.bed.module(
            "composeops.stack.stack", self.options(**changes), check=check, diff=diff, environment=environment
        )

    def state(self, wanted: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return self.bed.module("composeops.stack.stack", {"name": STACK, "state": wanted, **options}, check=check)

    def secrets(self, *secrets: dict[str, Any], check: bool = False, diff: bool = False) -> dict[str, Any]:
        options = {"stack": STACK, "secrets": list(secrets)}
        return self.bed.module("composeops.stack.secrets", options, check=check, diff=diff)

    def secret(self) -> str:
        return str(json.loads(self.bed.read(f"/etc/composeops/secrets/{STACK}.json"))[SECRET])

    def docker(self, *words: str) -> str:
        return self.bed.run(["docker", *words], check=True).stdout.strip()

    def containers(self) -> dict[str, str]:
        """Return the ids of the containers by service."""
        form = '{{.Label "com.docker.compose.service"}} {{.ID}}'
        listed = self.docker("ps", "--all", "--filter", f"label=com.docker.compose.project={STACK}", "--format", form)
        return dict(line.split() for line in listed.splitlines())

    def version(self, port: int = 24000) -> str:
        """Return the version that answers on the loopback of the host."""
        url = f"http://127.0.0.1:{port}/version"
        get = f"import urllib.request as request; print(request.urlopen('{url}', timeout=5).read().decode())"
        return str(json.loads(self.bed.run(["python3", "-c", get], check=True).stdout)["version"])

    def redis(self, *words: str) -> str:
        """Run a Redis command in the cache; the password stays inside the container."""
        script = f"REDISCLI_AUTH=$(cat /run/secrets/cache_password) redis-cli {' '.join(words)}"
        return self.docker("exec", f"{STACK}-cache-1", "sh", "-c", script)

    def reachable(self, port: int) -> bool:
        """Whether the machine that runs the tests reaches a port of the host."""
        with socket.socket() as connection:
            connection.settimeout(3)
            return connection.connect_ex((self.bed.address, port)) == 0

    def wait_until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"not true after {seconds} s"
            time.sleep(0.5)

    def healthy(self) -> bool:
        states = self.docker("ps", "--filter", f"label=com.docker.compose.project={STACK}", "--format", "{{.Status}}")
        return states.count("(healthy)") == 2

    def write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")


@pytest.fixture(scope="module", name="engine")
def engine_fixture(host: BedHost) -> BedHost:
    """The host with Docker, installed as an operator would."""
    playbook = host.directory / "engine.yml"
    playbook.write_text(PLAYBOOK, encoding="utf-8")
    run = host.playbook(playbook)
    assert run.ok, run.output
    return host


@pytest.fixture(scope="module", name="bare")
def bare_fixture(engine: BedHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackHost]:
    """The stack's files on the controller, and nothing of it on the host, before and after."""
    stack = StackHost(engine, tmp_path_factory.mktemp("stack"))
    stack.write("compose.yaml", COMPOSE)
    stack.write("files/motto", "one\n")
    remove(stack)
    yield stack
    remove(stack)


@pytest.fixture(name="deployed")
def deployed_fixture(bare: StackHost) -> StackHost:
    """The stack as declared above, running and healthy."""
    bare.environment = {"VERSION": "1.0.0"}
    bare.write("compose.yaml", COMPOSE)
    bare.write("files/motto", "one\n")
    assert not bare.secrets({"name": SECRET})["failed"]
    result = bare.deploy()
    assert not result["failed"], result["msg"]
    return bare


def remove(stack: StackHost) -> None:
    """Remove everything of the stack, the volume that no module removes included."""
    assert not stack.state("absent")["failed"]
    stack.bed.run(
        f"docker volume rm --force {STACK}_cache_data; rm -f /etc/composeops/secrets/{STACK}.json", check=True
    )
