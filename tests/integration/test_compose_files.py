"""One compose file with nearly everything that people write, run by `docker compose up` and by the module stack.

What runs is compared container by container: only what the plan announces may be different.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import BedHost, Completed
from tests.integration.stack_host import engine_fixture

pytestmark = pytest.mark.bed

__all__ = ["engine_fixture"]

STACK = "composetest"
PLAIN = "/root/composetest"
PRIVATE_NETWORK = "_composeops-release"
SHIPPED = f"/var/lib/composeops/stacks/{STACK}"
SECRETS = {"API_TOKEN": "9f2c41d07ab35e68"}
VALUES = {"GIVEN": "by the stack"}

FILES = {
    "compose.yaml": """\
version: "3.8"
name: composetest
include: [sub/compose.yaml]
x-idle: &idle
  image: redis:7-alpine
  entrypoint: [sh, -c, "trap 'exit 0' TERM INT USR1; sleep infinity & wait"]
services:
  web:
    image: petcare/backend:1.0.0
    container_name: composetest_web
    restart: unless-stopped
    ports: ["18080:3000", "127.0.0.1:18100-18102:8100-8102/udp"]
    environment: {PORT: "3000"}
    networks: {default: {aliases: [site]}, front: null}
    depends_on:
      job: {condition: service_completed_successfully}
      process: {condition: service_started, restart: true}
      debugging: {condition: service_started, required: false}
    healthcheck: {test: [CMD, sample, healthcheck], interval: 5s, start_period: 20s, start_interval: 1s}
  job:
    image: redis:7-alpine
    entrypoint: ["true"]
  process:
    <<: *idle
    init: true
    user: "1000:1000"
    working_dir: /tmp
    command: sh -c 'echo "a b" $$HOME'
    environment:
      - PLAIN=1
      - DOLLARS=$$5
      - DEFAULT=${NOT_GIVEN:-as said}
      - FROM_STACK=${GIVEN}
      - FROM_DOTENV=${DOTENV}
    env_file: [one.env, {path: gone.env, required: false}]
    tty: true
    stdin_open: true
    group_add: [games]
    stop_signal: SIGUSR1
    stop_grace_period: 7s
    labels: [said=so, flag]
    hostname: processor
    domainname: example.test
    annotations: {note: kept}
    restart: on-failure
  limited:
    <<: *idle
    labels: {as: mapping}
    deploy:
      resources: {limits: {cpus: "0.25", memory: 64M, pids: 100}, reservations: {memory: 32M}}
      restart_policy: {condition: on-failure, delay: 2s, max_attempts: 3}
    ulimits: {nofile: {soft: 512, hard: 1024}, core: 0}
    sysctls: [net.core.somaxconn=777]
    oom_score_adj: 300
    shm_size: 32m
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opt: ["no-new-privileges:true"]
    read_only: true
    tmpfs: /scratch
    logging: {driver: json-file, options: {max-size: 1m}}
    cpu_shares: 512
  stored:
    <<: *idle
    platform: linux/amd64
    pull_policy: always
    volumes:
      - kept:/kept
      - fast:/fast:ro
      - /anonymous
      - ./files/motto:/motto:ro
      - ./files/tree:/tree:ro
      - /etc/hostname:/outside:ro
      - ~/composetest-home:/home-of-root
      - {type: tmpfs, target: /memory, tmpfs: {size: 1048576}}
      - {type: volume, source: kept, target: /again, volume: {nocopy: true}}
    configs: [said, {source: motto, target: /motto-too}]
    secrets: [token, {source: whole, target: whole, mode: 0440}]
    devices: ["/dev/null:/dev/nothing"]
  connected:
    <<: *idle
    deploy: {replicas: 2}
    expose: ["9000"]
    extra_hosts: ["somewhere:192.0.2.7", "host.docker.internal:host-gateway"]
    dns: [192.0.2.53]
    dns_search: example.test
    dns_opt: ["ndots:2"]
    networks: {default: {aliases: [friend]}, front: {priority: 5}, outer: {aliases: [far]}}
    healthcheck: {test: "true", interval: 2s, retries: 2}
  a.dotted_na-me:
    extends: {file: common/base.yaml, service: base}
    ipc: shareable
    healthcheck: {disable: true}
  archive:
    <<: *idle
    hostname: vault
    volumes: [outside:/outside, /scratch]
    networks: [default, outer]
  linker:
    <<: *idle
    links: ["archive:old"]
    volumes_from: ["archive:ro"]
  sharing:
    image: redis:7-alpine
    entrypoint: [sleep, infinity]
    network_mode: service:archive
    pid: service:archive
    uts: host
  debugging:
    <<: *idle
    profiles: [debug]
  chosen:
    <<: *idle
    profiles: [chosen]
    network_mode: none
    restart: "no"
networks:
  front: {driver_opts: {com.docker.network.bridge.enable_icc: "true"}, labels: {kind: front}}
  outer: {external: true, name: composetest-outer}
volumes:
  kept: {labels: {kind: kept}}
  fast: {driver: local, driver_opts: {type: tmpfs, device: tmpfs, o: size=1m}}
  outside: {external: true, name: composetest-outside}
configs:
  said: {content: "said $$5 and ${GIVEN}"}
  motto: {file: ./files/motto}
secrets:
  token: {environment: API_TOKEN}
  whole: {file: ./files/whole}
""",
    "sub/compose.yaml": """\
services:
  included:
    image: redis:7-alpine
    entrypoint: [sleep, infinity]
    init: true
    env_file: included.env
    environment: {FROM_OWN_DOTENV: "${OWN}"}
    volumes: ["./data:/data:ro"]
""",
    "sub/included.env": "INCLUDED=yes\n",
    "sub/.env": "OWN=sub\n",
    "sub/data/file": "beside the included file\n",
    "common/base.yaml": """\
services:
  base:
    image: redis:7-alpine
    entrypoint: [sleep, infinity]
    init: true
    env_file: base.env
    volumes: ["./extended:/extended:ro"]
""",
    "common/base.env": "BASE=1\n",
    "common/extended/file": "beside the extended file\n",
    "one.env": "QUOTED='a $b c'\nINTERPOLATED=${GIVEN}!\n",
    ".env": "DOTENV=dotted\nGIVEN=by .env\nCOMPOSE_PROFILES=chosen\n",
    "files/motto": "keep it\n",
    "files/tree/leaf": "green\n",
    "files/whole": "the whole secret\n",
}

ANNOUNCED = {
    "web publishes 18080 to the world: not published; the edge reaches it on {web}",
    "web publishes 18100-18102/udp on 127.0.0.1: not published; list it under published to keep it",
    "job: once it has ended well it is not run again until its definition or its image changes",
    "stored: pull_policy always is not followed; images are pulled as the stack's option pull says: missing",
    "stored: ~/composetest-home is in the home directory of root on the host",
    ".env beside compose.yaml gives COMPOSE_PROFILES, DOTENV, GIVEN, where the stack does not",
}
OF_A_COLOUR = {
    "web: its container_name composetest_web is left out, because two of it run while a release replaces another",
    "stored: its volume /anonymous has no name, so it is empty in each release",
    "connected: other stacks in the network composetest-outer do not find it by its name; they reach it through the"
    " edge",
}
SERVICES = ("web", "process", "limited", "stored", "connected", "a.dotted_na-me", "included")
"""Those that run in a colour where the strategy is blue_green; the others stay in the base."""

OF_CONFIG = (
    *("Cmd", "Domainname", "Entrypoint", "Healthcheck", "Image", "OpenStdin", "StopSignal", "StopTimeout", "Tty"),
    *("User", "WorkingDir"),
)
OF_HOST_CONFIG = (
    *("Annotations", "CapAdd", "CapDrop", "CgroupParent", "CpuShares", "DeviceRequests", "Devices", "Dns"),
    *("DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Init", "LogConfig", "Memory"),
    *("MemoryReservation", "NanoCpus", "OomScoreAdj", "PidsLimit", "Privileged", "ReadonlyRootfs"),
    *("RestartPolicy", "Runtime", "SecurityOpt", "ShmSize", "Sysctls", "Tmpfs", "Ulimits", "UTSMode", "UsernsMode"),
)


@dataclass
class Host:
    """The host, and the files of the stack on the controller."""

    bed: BedHost
    directory: Path

    def deploy(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "name": STACK,
            "compose_file": str(self.directory / "compose.yaml"),
            "files_directory": str(self.directory),
            "environment": VALUES,
            "secrets": list(SECRETS),
            "routed": [{"service": "web", "port": 3000, "path": "/version"}],
            "port_base": 25000,
            "health": {"attempts": 20, "interval": 2},
            **options,
        }
        return self.bed.module("composeops.stack.stack", arguments, check=check)

    def up(self) -> None:
        """Run the same files as an operator would on the host itself."""
        for path, text in FILES.items():
            self.bed.write(f"{PLAIN}/{path}", text)
        given = " ".join(f"{name}='{value}'" for name, value in {**VALUES, **SECRETS}.items())
        self.bed.run(f"cd {PLAIN} && {given} docker compose --progress quiet up --detach --quiet-pull", check=True)

    def remove(self) -> None:
        """Remove what runs, whoever started it, its volumes and files included; what is external stays."""
        assert not self.bed.module("composeops.stack.stack", {"name": STACK, "state": "absent"})["failed"]
        self.bed.run(
            f"docker compose --project-name {STACK} down --volumes --timeout 2;"
            f" docker volume rm --force {STACK}_kept {STACK}_fast; rm -rf {PLAIN} {SHIPPED} ~/composetest-home",
            check=True,
        )

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return what runs as service and number to everything that the compose file decides."""
        listed = self.bed.run(f"docker ps --all --quiet --no-trunc --filter name=^{STACK}", check=True).stdout.split()
        inspected = json.loads(self.bed.run(["docker", "inspect", *listed], check=True).stdout)
        return {f"{service_of(one)} {number_of(one)}": decided(one) for one in inspected}

    def made(self) -> dict[str, Any]:
        """Return the networks and volumes of the stack and what the compose file says of them."""
        found: dict[str, Any] = {}
        for kind, keys in (("network", ("Driver", "Internal", "Options")), ("volume", ("Driver", "Options"))):
            listing = f"docker {kind} ls --quiet --filter label=com.docker.compose.project"
            names = self.bed.run(listing, check=True).stdout.split()
            for entry in json.loads(self.bed.run(["docker", kind, "inspect", *names], check=True).stdout):
                name = re.sub("-(blue|green)$", "", entry["Name"])
                if name.startswith(STACK) and not name.endswith(PRIVATE_NETWORK):
                    found[f"{kind} {name}"] = {
                        **{key: entry[key] for key in keys},
                        "Labels": own_labels(entry["Labels"]),
                    }
        return found

    def execute(self, service: str, script: str) -> str:
        form = f"docker ps --quiet --filter name=^{STACK}.*{re.escape(service)}"
        container = self.bed.run(form, check=True).stdout.split()[0]
        return self.bed.run(["docker", "exec", container, "sh", "-c", script], check=True).stdout


def service_of(container: dict[str, Any]) -> str:
    labels = container["Config"]["Labels"]
    return str(labels.get("composeops.service", labels["com.docker.compose.service"]))


def number_of(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.container-number"])


def decided(container: dict[str, Any]) -> dict[str, Any]:
    """Return what a compose file decides of a container, in the same words whoever started it."""
    config, host = container["Config"], container["HostConfig"]
    own = container["Id"][:12]
    return {
        **{key: config.get(key) for key in OF_CONFIG},
        **{key: in_order(host.get(key) or None) for key in OF_HOST_CONFIG},
        **{key: shared(host[key]) for key in ("IpcMode", "NetworkMode", "PidMode")},
        "Env": sorted(config["Env"]),
        "Hostname": "" if config["Hostname"] == own else config["Hostname"],
        "Labels": own_labels(config["Labels"]),
        "Mounts": sorted((mount(entry) for entry in container["Mounts"]), key=str),
        "Networks": networks(container, own),
        "Running": (container["State"]["Running"], container["State"]["ExitCode"]),
    }


def own_labels(labels: dict[str, str]) -> dict[str, str]:
    """Return the labels that are neither compose's nor ours."""
    return {key: value for key, value in labels.items() if not key.startswith(("com.docker.compose.", "composeops"))}


def shared(mode: str) -> str:
    """Return whose namespace a container is in, whatever the ids of containers and the names of networks."""
    name, _, container = mode.partition(":")
    return "a network" if name.startswith(STACK) else f"{name}:one" if container else name


def in_order(value: Any) -> Any:
    """Return a value, a list in one order: compose keeps several of them as mappings."""
    return sorted(value, key=str) if isinstance(value, list) else value


def mount(entry: dict[str, Any]) -> dict[str, Any]:
    name = entry.get("Name", "")
    source = re.sub(rf"^({PLAIN}|{SHIPPED}(/colours/\w+)?)/", "./", entry.get("Source", ""))
    return {
        **{key: entry.get(key) for key in ("Type", "Destination", "Driver", "Propagation", "RW")},
        "Name": "anonymous" if re.fullmatch("[0-9a-f]{64}", name) else name,
        "Source": "" if entry["Type"] == "volume" else source,
    }


def networks(container: dict[str, Any], own: str) -> dict[str, Any]:
    """Return the networks of a container, those of a colour as what they stand for, and every name it has in any."""
    joined = container["NetworkSettings"]["Networks"]
    names = {name for entry in joined.values() for name in entry["DNSNames"] or []}
    labels = container["Config"]["Labels"]
    ours = {own, container["Name"].lstrip("/"), labels["com.docker.compose.service"], "composetest_web"}
    return {
        "joined": sorted(re.sub("-(blue|green)$", "", name) for name in joined if not name.endswith(PRIVATE_NETWORK)),
        "links": sorted(link for entry in joined.values() for link in entry["Links"] or []),
        "names": sorted({service_of(container), *(names - ours)} if names else ()),
    }


@pytest.fixture(scope="module", name="system")
def system_fixture(engine: BedHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    host = Host(engine, tmp_path_factory.mktemp("system"))
    for path, text in FILES.items():
        location = host.directory / path
        location.parent.mkdir(parents=True, exist_ok=True)
        location.write_text(text, encoding="utf-8")
    host.remove()
    engine.run("docker network create composetest-outer && docker volume create composetest-outside", check=True)
    engine.write(f"/etc/composeops/secrets/{STACK}.json", json.dumps(SECRETS), mode="0600")
    yield host
    host.remove()
    engine.run("docker network rm composetest-outer; docker volume rm composetest-outside", check=True)
    engine.run(["rm", "-f", f"/etc/composeops/secrets/{STACK}.json"], check=True)


READ = (
    "cat /run/secrets/token /run/secrets/whole /said /motto /motto-too /tree/leaf;"
    " stat -c '%n %a %u %g' /run/secrets/token /said"
)


@dataclass
class Seen:
    containers: dict[str, dict[str, Any]]
    made: dict[str, Any]
    content: str


@pytest.fixture(scope="module", name="plain")
def plain_fixture(system: Host) -> Seen:
    """What `docker compose up` runs, which is gone afterwards."""
    system.up()
    seen = Seen(system.containers(), system.made(), system.execute("stored", READ))
    system.remove()
    return seen


@pytest.fixture(scope="module", name="deployed", params=["in_place", "blue_green"])
def deployed_fixture(request: pytest.FixtureRequest, system: Host, plain: Seen) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same, deployed with each strategy, after what runs otherwise was seen."""
    assert plain.containers
    overlapping = {"overlapping": [name for name in SERVICES if name != "web"]} if request.param == "blue_green" else {}
    options = {"rollout": {"strategy": request.param, "watch": 1, "drain": 1}, **overlapping}
    checked = system.deploy(check=True, **options)
    assert not checked["failed"], checked["msg"]
    assert checked["changed"]
    result = system.deploy(**options)
    assert not result["failed"], result["msg"]
    assert set(checked["plan"]) == set(result["plan"])
    again = system.deploy(**options)
    assert not again["changed"], again["plan"]
    yield request.param, result
    system.remove()


def test_what_runs_is_what_compose_would_have_run(
    deployed: tuple[str, dict[str, Any]], plain: Seen, system: Host
) -> None:
    seen = system.containers()
    assert set(seen) == set(plain.containers)
    different = {
        (name, key): (there[key], seen[name][key])
        for name, there in plain.containers.items()
        for key in there
        if there[key] != seen[name][key]
    }
    assert different == {}


def test_networks_and_volumes_are_as_compose_would_have_made_them(
    deployed: tuple[str, dict[str, Any]], plain: Seen, system: Host
) -> None:
    assert system.made() == plain.made


def test_files_in_the_container_are_the_same(deployed: tuple[str, dict[str, Any]], plain: Seen, system: Host) -> None:
    assert system.execute("stored", READ) == plain.content
    assert system.execute("included", "cat /data/file") == "beside the included file\n"
    assert system.execute("a.dotted_na-me", "cat /extended/file") == "beside the extended file\n"


def test_what_is_different_was_announced(deployed: tuple[str, dict[str, Any]]) -> None:
    strategy, result = deployed
    ports = [f"127.0.0.1:{entry['host_port']}" for entry in result["endpoints"]]
    expected = {line.format(web=" and ".join(ports)) for line in ANNOUNCED}
    expected |= OF_A_COLOUR if strategy == "blue_green" else set()
    assert {line for line in result["plan"] if ": " in line or " gives " in line} & expected == expected


def test_services_of_a_release_find_each_other_by_every_name(
    deployed: tuple[str, dict[str, Any]], system: Host
) -> None:
    for name in (
        "web",
        "site",
        "composetest_web",
        "friend",
        "connected",
        "processor",
        "a.dotted_na-me",
        "archive",
        "vault",
    ):
        assert system.execute("stored", f"getent hosts {name}").split()[-1], name
    assert system.execute("linker", "getent hosts old").split()[-1]


def test_only_what_is_routed_is_published(deployed: tuple[str, dict[str, Any]], system: Host) -> None:
    published = system.bed.run(f"docker ps --filter name=^{STACK} --format '{{{{.Ports}}}}'", check=True).stdout
    assert "18080" not in published
    assert "18100" not in published
    assert re.findall(r"([\d.]+):25\d+->3000/tcp", published) == ["127.0.0.1"]


REFUSED_BY_THE_ENGINE = {
    "attempts of a service that is always restarted": 'restart: "always:3"',
    "attempts without a condition": "deploy: {restart_policy: {max_attempts: 3}}",
    "an unknown restart policy": "restart: sometimes",
    "a relative path in the container": 'volumes: ["/etc/hostname:relative"]',
    "a relative tmpfs": "tmpfs: relative",
}


@pytest.fixture(scope="module", name="compose")
def compose_fixture(engine: BedHost) -> Iterator[Callable[[str, str], Completed]]:
    """Run `docker compose` with a file of one service that has the given lines."""
    path = "/root/composeprobe/compose.yaml"

    def compose(line: str, arguments: str) -> Completed:
        idle = "services:\n  one:\n    image: redis:7-alpine\n    init: true\n    entrypoint: [sleep, infinity]\n"
        engine.write(path, f"{idle}    {line}\n")
        return engine.run(f"docker compose --file {path} --progress quiet {arguments}")

    yield compose
    engine.run(f"docker compose --file {path} --progress quiet down --timeout 1; rm -r /root/composeprobe", check=True)


@pytest.mark.parametrize("line", REFUSED_BY_THE_ENGINE.values(), ids=REFUSED_BY_THE_ENGINE.keys())
def test_compose_passes_what_the_engine_refuses(compose: Callable[[str, str], Completed], line: str) -> None:
    """What the module refuses for that reason."""
    assert compose(line, "config --quiet").ok
    assert "Error response from daemon: invalid" in compose(line, "up --detach --quiet-pull").stderr


def test_compose_puts_no_secret_into_a_read_only_container(compose: Callable[[str, str], Completed]) -> None:
    """What the module refuses for that reason."""
    lines = "read_only: true\n    secrets: [token]\nsecrets:\n  token: {environment: HOME}"
    assert compose(lines, "config --quiet").ok
    assert "container rootfs is marked read-only" in compose(lines, "up --detach --quiet-pull").stderr


def test_compose_of_the_host_ignores_what_is_refused(engine: BedHost, compose: Callable[[str, str], Completed]) -> None:
    hooks = "post_start: [{command: [touch, /started]}]\n    pre_stop: [{command: [touch, /stopped]}]\n    gpus: all"
    for arguments in ("up --detach --quiet-pull", "stop --timeout 1"):
        completed = compose(hooks, arguments)
        assert completed.ok, completed.stderr
    container = "composeprobe-one-1"
    assert engine.output(["docker", "inspect", container, "--format", "{{.HostConfig.DeviceRequests}}"]) == "[]"
    changed = engine.output(["docker", "diff", container])
    assert "/started" not in changed
    assert "/stopped" not in changed
