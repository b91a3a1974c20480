"""The running bed: its images behave like those they stand in for, its hosts boot bare and survive a reboot."""

from __future__ import annotations

import functools
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import urllib3
from testbed import acme, containers, engine, hosts, inventory, names, registry, store
from testbed.cli import main
from testbed.state import State, StateDirectory, default_directory

pytestmark = pytest.mark.bed

Start = Callable[..., Any]


@pytest.fixture(scope="module")
def directory() -> StateDirectory:
    return StateDirectory(default_directory())


@pytest.fixture(scope="module")
def state(directory: StateDirectory) -> State:
    found = directory.load()
    assert found is not None, "no bed is up: run `make bed`"
    return found


@pytest.fixture(scope="module")
def client(state: State) -> docker.DockerClient:
    assert state.engine is not None
    return engine.connect(state.engine.url)


@pytest.fixture
def start(client: docker.DockerClient, state: State) -> Iterator[Start]:
    """Start a container of an image of the bed, without network; gone after the test."""
    made: list[Any] = []

    def run(image: str, command: list[str] | None = None, files: dict[Path, str] | None = None, **more: Any) -> Any:
        volumes = {str(path): {"bind": target, "mode": "ro"} for path, target in (files or {}).items()}
        made.append(
            client.containers.run(
                names.image(state.id, image),
                command,
                detach=True,
                network_mode="none",
                volumes=volumes,
                labels=names.labels(state.id, role="test"),
                **more,
            )
        )
        return made[-1]

    yield run
    for container in made:
        container.remove(force=True, v=True)


@pytest.fixture
def volume(client: docker.DockerClient, state: State) -> Iterator[str]:
    """A volume; asked for before `start`, it goes after the containers that use it."""
    made = client.volumes.create(labels=names.labels(state.id))
    yield str(made.name)
    made.remove()


def until(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


def output(container: Any, *argv: str) -> str:
    return containers.execute(container, argv)[1].strip()


def ssh(directory: StateDirectory, host: str, command: str) -> str:
    argv = ["ssh", "-F", str(directory / "ssh" / "config"), host, command]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_postgres_first_start_makes_database_user_and_runs_the_files(start: Start, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("se'cret\n")
    (tmp_path / "1.sql").write_text("CREATE TABLE pets (name text); INSERT INTO pets VALUES ('Rex');")
    (tmp_path / "2.sh").write_text('psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "INSERT INTO pets VALUES (\'Tom\')"')
    container = start(
        "postgres",
        ["-c", "max_connections=50"],
        {
            tmp_path / "password": "/run/secrets/password",
            tmp_path / "1.sql": "/docker-entrypoint-initdb.d/1.sql",
            tmp_path / "2.sh": "/docker-entrypoint-initdb.d/2.sh",
        },
        environment={
            "POSTGRES_USER": "petuser",
            "POSTGRES_PASSWORD_FILE": "/run/secrets/password",
            "POSTGRES_DB": "pet_system",
        },
    )

    def query(statement: str) -> str:
        script = 'PGPASSWORD=$(cat /run/secrets/password) psql -h 127.0.0.1 -U petuser pet_system -tAc "$0"'
        return output(container, "sh", "-c", script, statement)

    until(lambda: query("SELECT 1") == "1", "PostgreSQL serves over TCP with the password")
    assert query("SELECT string_agg(name, ',' ORDER BY name) FROM pets") == "Rex,Tom"
    assert query("SHOW max_connections") == "50"
    assert query("SHOW server_version").startswith("15.")
    assert query("SELECT rolpassword LIKE 'SCRAM-SHA-256%' FROM pg_authid WHERE rolname = 'petuser'") == "t"
    assert output(container, "stat", "-c", "%U", "/proc/1") == "postgres"
    assert "psql: error" in output(
        container, "psql", "-h", "127.0.0.1", "-wU", "petuser", "pet_system", "-c", "SELECT 1"
    )
    for program in ("pg_dump", "pg_restore", "pg_isready"):
        assert "15." in output(container, program, "--version")


def test_postgres_data_survives_a_new_container_and_the_files_run_once(
    volume: str, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "1.sql").write_text("CREATE TABLE pets (name text);")
    files = {tmp_path / "1.sql": "/docker-entrypoint-initdb.d/1.sql"}
    mounts = [docker.types.Mount("/var/lib/postgresql/data", volume)]

    def served(container: Any) -> bool:
        return output(container, "psql", "-U", "postgres", "-tAc", "INSERT INTO pets VALUES ('Rex')") == "INSERT 0 1"

    for _ in range(2):
        container = start("postgres", None, files, environment={"POSTGRES_PASSWORD": "x"}, mounts=mounts)
        until(functools.partial(_serves, container), "PostgreSQL serves")
        assert served(container)
        container.stop(timeout=20)
        assert container.wait()["StatusCode"] == 0
    assert "first start" not in container.logs().decode()


def _serves(postgres: Any) -> bool:
    return "accepting" in output(postgres, "pg_isready", "-h", "127.0.0.1")


def test_postgres_refuses_to_start_without_a_password(start: Start) -> None:
    container = start("postgres")
    assert container.wait(timeout=30)["StatusCode"] == 1
    assert "POSTGRES_PASSWORD_FILE" in container.logs().decode()


def test_redis_keeps_a_key_and_asks_for_the_password(start: Start) -> None:
    container = start("redis", ["redis-server", "--appendonly", "yes", "--requirepass", "x"])
    until(lambda: "PONG" in output(container, "redis-cli", "-a", "x", "ping"), "Redis serves")
    assert "NOAUTH" in output(container, "redis-cli", "ping")
    output(container, "redis-cli", "-a", "x", "set", "pet", "Rex")
    container.restart(timeout=10)
    until(lambda: "Rex" in output(container, "redis-cli", "-a", "x", "get", "pet"), "the key is back")
    assert output(container, "stat", "-c", "%U", "/proc/1") == "redis"
    assert output(container, "redis-cli", "--version").startswith("redis-cli 7.")


def test_redis_takes_options_alone(start: Start) -> None:
    container = start("redis", ["--port", "7000"])
    until(lambda: output(container, "redis-cli", "-p", "7000", "ping") == "PONG", "Redis serves on its port")


def test_nginx_serves_and_stops_gracefully(start: Start) -> None:
    container = start("nginx")
    until(lambda: "nginx" in output(container, "wget", "-qO-", "http://127.0.0.1/"), "nginx serves")
    container.stop(timeout=20)
    assert container.wait()["StatusCode"] == 0
    assert '"GET / HTTP/1.1" 200' in container.logs().decode()


def test_mosquitto_passes_a_message_on(start: Start) -> None:
    container = start("mosquitto")

    def passes() -> bool:
        script = "mosquitto_sub -C 1 -W 5 -t pets & sleep 0.3; mosquitto_pub -t pets -m Rex; wait"
        return output(container, "sh", "-c", script) == "Rex"

    until(passes, "a message arrives")
    assert output(container, "stat", "-c", "%U", "/proc/1") == "mosquitto"


def test_registry_has_every_published_image(state: State) -> None:
    http = urllib3.PoolManager()
    for reference in state.published:
        name, _, tag = reference.rpartition(":")
        url = f"{registry.url(state)}/v2/{name}/manifests/{tag}"
        accept = "application/vnd.docker.distribution.manifest.v2+json"
        assert http.request("HEAD", url, headers={"Accept": accept}).status == 200, reference


def test_store_refuses_strangers_and_shows_nothing_but_s3(directory: StateDirectory, state: State) -> None:
    http = urllib3.PoolManager(ca_certs=str(directory / "s3-ca.pem"), timeout=2.0, retries=False)
    assert http.request("GET", f"{store.endpoint(state)}/{store.BUCKET}").status == 403
    address = store.endpoint(state).removeprefix("https://").partition(":")[0]
    for port in (8080, 8888, 9333):
        with pytest.raises(urllib3.exceptions.HTTPError):
            http.request("GET", f"http://{address}:{port}/")


def test_acme_server_rejects_nonces_as_the_public_one_may(client: docker.DockerClient, state: State) -> None:
    container = containers.find(client, state.id, acme.container_name(hosts.DEFAULT_HOST))
    assert container is not None
    # Unset, Pebble rejects 5 % of good nonces.
    assert not [line for line in container.attrs["Config"]["Env"] if line.startswith("PEBBLE_WFE_NONCEREJECT")]


def test_nothing_is_published_on_the_machine(client: docker.DockerClient, state: State) -> None:
    for container in client.containers.list(filters={"label": f"{names.LABEL}={state.id}"}):
        assert not any(container.ports.values()), container.name


@pytest.mark.parametrize("release", ["trixie", "bookworm"])
def test_a_host_boots_bare_survives_a_reboot_and_goes_without_trace(
    directory: StateDirectory, client: docker.DockerClient, release: str
) -> None:
    host = f"test-{release}"
    try:
        assert main(["host", "add", host, "--release", release, "--alias", "test.petcare.com"]) == 0
        assert ssh(directory, host, "systemctl is-system-running") == "running"
        assert ssh(directory, host, "sudo id -u") == "0"
        absent = "for program in docker dockerd nginx certbot curl; do command -v $program; done; true"
        assert ssh(directory, host, absent) == ""
        address = ssh(directory, host, "getent hosts test.petcare.com").split()[0]
        state = directory.load()
        assert state is not None
        assert address == hosts.address(state, host)
        ssh(directory, host, "echo kept | sudo tee /var/lib/docker/kept /root/kept >/dev/null")
        assert main(["host", "stop", host]) == 0
        assert main(["host", "start", host]) == 0
        assert ssh(directory, host, "sudo cat /var/lib/docker/kept /root/kept") == "kept\nkept"
        assert ssh(directory, host, "systemctl is-system-running") == "running"
    finally:
        assert main(["host", "remove", host]) == 0
    assert containers.find(client, state.id, host) is None
    assert not (directory / inventory.folder(host)).exists()
    assert f"Host {host}\n" not in (directory / "ssh" / "config").read_text()
