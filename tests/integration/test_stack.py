"""The module `stack` on a real host: deployments, their failures, drift, secrets, ports, and deaths in the middle."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.integration.bed_host import ANSIBLE_PLAYBOOK, ROOT
from tests.integration.stack_host import (
    COMPOSE,
    SECRET,
    STACK,
    StackHost,
    bare_fixture,
    deployed_fixture,
    engine_fixture,
)

pytestmark = pytest.mark.bed

__all__ = ["bare_fixture", "deployed_fixture", "engine_fixture"]

NOTES = [
    "cache publishes 6379 to the world: not published; list it under published to keep it",
    "web publishes 8080 to the world: not published; the edge reaches it on 127.0.0.1:24000",
]


def services(result: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["health"] or entry["state"] for entry in result["services"]}


def test_check_apply_check_apply(bare: StackHost) -> None:
    assert not bare.secrets({"name": SECRET})["failed"]
    checked = bare.deploy(check=True)
    assert checked["changed"], checked
    assert bare.containers() == {}
    assert not bare.bed.exists(f"/var/lib/composeops/stacks/{STACK}")
    applied = bare.deploy()
    assert not applied["failed"], applied["msg"]
    assert applied["plan"] == checked["plan"]
    assert applied["plan"][-5:] == ["create cache", "create init", "create web", *NOTES]
    assert services(applied) == {"cache": "healthy", "init": "exited (0)", "web": "healthy"}
    assert [(entry["service"], entry["host_port"], entry["colour"]) for entry in applied["endpoints"]] == [
        ("web", 24000, "")
    ]
    assert applied["summary"][0]["title"] == f"Services of {STACK}"
    assert bare.version() == "1.0.0"
    for again in (bare.deploy(check=True), bare.deploy()):
        assert (again["failed"], again["changed"], again["plan"]) == (False, False, [])


def test_a_change_is_predicted_shown_and_done(deployed: StackHost) -> None:
    before = deployed.containers()
    deployed.environment = {"VERSION": "1.1.0"}
    checked = deployed.deploy(check=True, diff=True)
    assert "recreate web: image petcare/backend:1.0.0 becomes petcare/backend:1.1.0" in checked["plan"]
    shown = {entry["after_header"]: entry for entry in checked["diff"]}
    assert '"petcare/backend:1.0.0"' in shown["compose.json"]["before"]
    assert '"petcare/backend:1.1.0"' in shown["compose.json"]["after"]
    assert deployed.containers() == before
    applied = deployed.deploy()
    assert applied["plan"] == checked["plan"]
    assert deployed.version() == "1.1.0"
    after = deployed.containers()
    assert after["cache"] == before["cache"]
    assert after["web"] != before["web"]
    assert not deployed.deploy()["changed"]


def test_pet_11_only_the_edge_reaches_a_service(deployed: StackHost) -> None:
    assert deployed.version() == "1.0.0"
    assert not [port for port in (6379, 8080, 24000) if deployed.reachable(port)]
    listening = deployed.bed.run("cat /proc/net/tcp /proc/net/tcp6", check=True).stdout
    assert not re.search(r": 0{8,32}:(18EB|1F90|5DC0) .* 0A ", listening), "published on every address"


def test_a_port_is_published_where_that_is_declared(deployed: StackHost) -> None:
    everywhere = "0.0.0.0"  # noqa: S104 (the option under test)
    result = deployed.deploy(published=[{"service": "cache", "port": 6379, "host_port": 24999, "address": everywhere}])
    assert not result["failed"], result["msg"]
    assert "0.0.0.0:24999->6379/tcp" in json.dumps(result["services"])
    assert not deployed.deploy(check=True, published=[])["failed"]


def test_no_secret_is_where_others_see_it(deployed: StackHost) -> None:
    secret = deployed.secret()
    seen = {
        "docker inspect": deployed.docker("inspect", *deployed.containers().values()),
        "process lists": deployed.bed.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '", check=True).stdout,
        "compose.json": deployed.bed.read(f"/var/lib/composeops/stacks/{STACK}/compose.json"),
        "state.json": deployed.bed.read(f"/var/lib/composeops/stacks/{STACK}/state.json"),
        "the journal": deployed.bed.run("journalctl --no-pager --boot", check=True).stdout,
        "a result with its diff": json.dumps(deployed.deploy(diff=True, environment={"VERSION": "1.1.0"})),
    }
    assert [place for place, text in seen.items() if secret in text] == []
    assert deployed.redis("ping") == "PONG"


def test_a_rotated_secret_recreates_who_uses_it(deployed: StackHost) -> None:
    init = deployed.containers()["init"]
    assert deployed.secrets({"name": SECRET, "value": "Zt7yB0vNcR4sLdPq"})["changed"]
    result = deployed.deploy(diff=True)
    assert [said for said in result["plan"] if said.startswith("recreate")] == [
        "recreate cache: its definition, a file it mounts or a secret it uses changed",
        "recreate web: its definition, a file it mounts or a secret it uses changed",
    ]
    assert f"{SECRET}=(sensitive, changed)" in json.dumps(result["diff"])
    assert deployed.containers()["init"] == init
    assert deployed.docker("exec", f"{STACK}-web-1", "cat", "/run/secrets/cache_password") == "Zt7yB0vNcR4sLdPq"
    assert not deployed.deploy()["changed"]


def test_a_changed_file_recreates_who_mounts_it(deployed: StackHost) -> None:
    cache = deployed.containers()["cache"]
    deployed.write("files/motto", "two\n")
    assert "write files/motto" in deployed.deploy()["plan"]
    assert deployed.docker("exec", f"{STACK}-web-1", "cat", "/motto") == "two"
    assert deployed.containers()["cache"] == cache


def test_an_edited_file_is_put_right_also_inside_the_container(deployed: StackHost) -> None:
    deployed.bed.run(f"echo edited > /var/lib/composeops/stacks/{STACK}/files/motto", check=True)
    assert deployed.docker("exec", f"{STACK}-web-1", "cat", "/motto") == "edited"
    result = deployed.deploy()
    assert result["plan"][:2] == ["write files/motto", "restart web: files/motto was changed on the host"]
    assert deployed.docker("exec", f"{STACK}-web-1", "cat", "/motto") == "one"
    assert not deployed.deploy()["changed"]


DRIFTS: dict[str, tuple[str, str]] = {
    "a killed container": (f"docker kill {STACK}-web-1", f"start web: {STACK}-web-1 is exited"),
    "a stopped data service": (f"docker stop {STACK}-cache-1", f"start cache: {STACK}-cache-1 is exited"),
    "a removed container": (f"docker rm --force {STACK}-web-1", "create web"),
}


@pytest.mark.parametrize(("drift", "sentence"), DRIFTS.values(), ids=DRIFTS.keys())
def test_drift_is_predicted_repaired_and_reported(deployed: StackHost, drift: str, sentence: str) -> None:
    deployed.bed.run(drift, check=True)
    assert sentence in deployed.deploy(check=True)["plan"]
    result = deployed.deploy()
    assert result["changed"]
    assert sentence in result["plan"]
    assert services(result) == {"cache": "healthy", "init": "exited (0)", "web": "healthy"}
    assert not deployed.deploy()["changed"]


@pytest.fixture
def moved_tag(deployed: StackHost) -> Iterator[None]:
    """Another image under the tag that runs, as somebody pulling or building by hand leaves it."""
    tag = "docker pull --quiet petcare/backend:1.1.0 && docker tag petcare/backend:1.1.0 petcare/backend:1.0.0"
    deployed.bed.run(tag, check=True)
    yield
    back = "docker rmi --force petcare/backend:1.0.0 && docker pull --quiet petcare/backend:1.0.0"
    deployed.bed.run(back, check=True)


def test_a_tag_that_moved_on_the_host_and_one_that_moved_in_the_registry(deployed: StackHost, moved_tag: None) -> None:
    sentence = "recreate web: another image has become petcare/backend:1.0.0"
    assert sentence in deployed.deploy(check=True)["plan"]
    assert sentence in deployed.deploy()["plan"]
    assert deployed.version() == "1.1.0"
    assert not deployed.deploy()["changed"]
    assert sentence in deployed.deploy(pull="always")["plan"]
    assert deployed.version() == "1.0.0"
    assert not deployed.deploy(pull="always")["changed"]


def test_pet_06_an_unhealthy_release_fails_with_its_log_and_the_one_before_serves(deployed: StackHost) -> None:
    result = deployed.deploy(
        environment={"VERSION": "1.1.0", "UNHEALTHY": "1"}, health={"attempts": 4, "interval": 2}, log_lines=30
    )
    assert result["failed"]
    assert result["changed"]
    message = result["msg"]
    assert f"Stack {STACK}: web: not ready after 4 tries 2 s apart: it is starting: its health check says:" in message
    assert "503" in message
    assert "    the password is (sensitive)\n" in message
    assert deployed.secret() not in json.dumps(result)
    assert message.endswith(
        "The release before was put back, and all its services are ready. Correct the cause and deploy again."
    )
    assert deployed.version() == "1.0.0"
    assert not deployed.deploy()["changed"]


def test_a_release_that_crashes_is_given_up_before_the_limit(deployed: StackHost) -> None:
    deployed.write("compose.yaml", COMPOSE.replace("exec sample serve", "echo no database >&2; exit 3"))
    result = deployed.deploy(health={"attempts": 30, "interval": 5})
    assert result["failed"]
    assert re.search(r"web: it was restarted \d+ times in \d+ s(; it ended with status 3)?\. ", result["msg"])
    assert "    no database" in result["msg"]
    assert deployed.version() == "1.0.0"


def test_a_container_that_cannot_be_started_is_told_and_the_release_before_serves(deployed: StackHost) -> None:
    taken = "python3 -c 'import socket,time; s=socket.create_server((\"0.0.0.0\", 24500)); time.sleep(600)'"
    deployed.bed.run(f"systemd-run --quiet --unit=composeops-test-port --collect {taken}", check=True)
    deployed.wait_until(lambda: deployed.reachable(24500) or ":5FB4 " in deployed.bed.read("/proc/net/tcp"))
    try:
        result = deployed.deploy(published=[{"service": "web", "port": 3000, "host_port": 24500}])
    finally:
        deployed.bed.run("systemctl stop composeops-test-port", check=True)
    assert result["failed"]
    assert "docker compose up of stack stacktest failed: Error response from daemon:" in result["msg"]
    assert "24500" in result["msg"]
    assert "The release before was put back" in result["msg"]
    assert deployed.version() == "1.0.0"


Change = Callable[[StackHost], dict[str, Any]]
BAD: dict[str, tuple[Change, str]] = {
    "an image that does not exist": (
        lambda stack: stack.deploy(environment={"VERSION": "9.9.9"}),
        r"Image petcare/backend:9\.9\.9 cannot be pulled: .*Nothing was changed",
    ),
    "a variable without a value": (
        lambda stack: stack.deploy(environment={}),
        r"compose\.yaml is not a valid compose file, line \d+: .*required variable VERSION is missing a value",
    ),
    "a secret that is not on the host": (
        lambda stack: stack.deploy(secrets=[SECRET, "SMTP_PASS"]),
        r"the secrets SMTP_PASS are not on this host",
    ),
    "a routed service that is not declared": (
        lambda stack: stack.deploy(routed=[{"service": "wbe", "port": 3000}]),
        r"routed names 'wbe', and compose\.yaml declares no such service\. It declares cache, init, web\.",
    ),
    "an unknown option": (
        lambda stack: stack.deploy(routed=[{"service": "web", "port": 3000, "prot": "udp"}]),
        r"routed\.prot\. Supported parameters include: path, port, service",
    ),
}


@pytest.mark.parametrize(("change", "said"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_right_changes_nothing(deployed: StackHost, change: Change, said: str) -> None:
    before = deployed.containers()
    result = change(deployed)
    assert result["failed"]
    assert re.search(said, result["msg"], re.DOTALL), result["msg"]
    assert deployed.containers() == before
    assert not deployed.deploy()["changed"]


BROKEN = {
    "broken YAML": ("services:\n  web: [\n", r"is not valid YAML: .*line 3"),
    "an unknown key": ("services: {web: {image: 'redis:7-alpine', portss: []}}\n", r"portss"),
    "no image": ("services: {web: {build: .}}\n", r"service web has `build:` and no `image:`"),
    "a file that is not there": (
        "services: {web: {image: 'redis:7-alpine', volumes: ['./files/gone.conf:/x']}}\n",
        r"service web mounts \./files/gone\.conf, which is not among the files of the stack",
    ),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_compose_file_changes_nothing(deployed: StackHost, text: str, said: str) -> None:
    before = deployed.containers()
    deployed.write("compose.yaml", text)
    result = deployed.deploy(environment={}, secrets=[])
    assert result["failed"]
    assert re.search(said, result["msg"]), result["msg"]
    assert deployed.containers() == before


def test_pet_06_stop_and_start(deployed: StackHost) -> None:
    checked = deployed.state("stopped", check=True)
    assert checked["plan"] == [f"stop {STACK}-cache-1", f"stop {STACK}-web-1"]
    assert deployed.healthy()
    assert deployed.state("stopped")["plan"] == checked["plan"]
    assert not deployed.state("stopped")["changed"]
    assert not deployed.healthy()
    assert f"start web: {STACK}-web-1 is exited" in deployed.deploy()["plan"]
    assert deployed.version() == "1.0.0"


def test_pet_06_restart(deployed: StackHost) -> None:
    started = "{{.State.StartedAt}}"
    before = {name: deployed.docker("inspect", "--format", started, f"{STACK}-{name}-1") for name in ("cache", "web")}
    result = deployed.state("restarted", services=["web"])
    assert result["plan"] == [f"restart {STACK}-web-1"]
    assert services(result)["web"] == "healthy"
    after = {name: deployed.docker("inspect", "--format", started, f"{STACK}-{name}-1") for name in ("cache", "web")}
    assert after["cache"] == before["cache"]
    assert after["web"] != before["web"]
    assert not deployed.deploy()["changed"]


def test_pet_11_data_survives_upgrade_stop_and_removal(deployed: StackHost) -> None:
    assert deployed.redis("set", "cat", "tom") == "OK"
    deployed.deploy(environment={"VERSION": "1.1.0"})
    deployed.state("stopped")
    result = deployed.state("absent")
    assert result["changed"]
    assert result["kept_volumes"] == [f"{STACK}_cache_data"]
    assert deployed.containers() == {}
    assert not deployed.state("absent")["changed"]
    assert not deployed.deploy()["failed"]
    assert deployed.redis("get", "cat") == "tom"


def test_everything_comes_back_after_the_engine_restarts(deployed: StackHost) -> None:
    deployed.bed.run("systemctl restart docker.service", check=True)
    deployed.wait_until(deployed.healthy)
    assert deployed.redis("ping") == "PONG"
    assert not deployed.deploy()["changed"]


def start(deployed: StackHost, **changes: Any) -> subprocess.Popen[str]:
    """Start a deployment in its own process, to interfere with it."""
    play = {
        "name": "Deploy",
        "hosts": deployed.bed.name,
        "become": True,
        "gather_facts": False,
        "tasks": [{"name": "Deploy", "composeops.stack.stack": deployed.options(**changes)}],
    }
    path = deployed.directory / "deploy.yml"
    path.write_text(yaml.safe_dump([play]), encoding="utf-8")
    return subprocess.Popen(
        [str(ANSIBLE_PLAYBOOK), str(path), "-i", str(deployed.bed.inventory)],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def version_in_container(deployed: StackHost) -> str:
    form = "{{.Config.Image}}"
    return deployed.bed.run(["docker", "inspect", "--format", form, f"{STACK}-web-1"]).stdout.strip()


def test_two_runs_at_once_one_is_told_who_is_at_it(deployed: StackHost) -> None:
    first = start(deployed, environment={"VERSION": "1.1.0", "START_DELAY": "8"})
    deployed.wait_until(lambda: version_in_container(deployed) == "petcare/backend:1.1.0")
    second = deployed.deploy()
    output, _ = first.communicate(timeout=120)
    assert second["failed"]
    assert f"Stack {STACK} is held by ops (deploy by ansible since " in second["msg"]
    assert first.returncode == 0, output
    assert deployed.version() == "1.1.0"


@pytest.mark.parametrize("wanted", ["1.1.0", "1.0.0"], ids=["goes on", "goes back"])
def test_a_run_that_was_killed_is_finished_by_the_next(deployed: StackHost, wanted: str) -> None:
    killed = start(deployed, environment={"VERSION": "1.1.0", "START_DELAY": "8"})
    deployed.wait_until(lambda: version_in_container(deployed) == "petcare/backend:1.1.0")
    holder = deployed.bed.read(f"/run/composeops/stack-{STACK}.lock")
    process = re.search(r"process (\d+)", holder)
    assert process
    deployed.bed.run(["kill", "-KILL", process.group(1)], check=True)
    output, _ = killed.communicate(timeout=60)
    assert killed.returncode != 0, output
    result = deployed.deploy(environment={"VERSION": wanted})
    assert not result["failed"], result["msg"]
    assert deployed.version() == wanted
    assert not deployed.deploy(environment={"VERSION": wanted})["changed"]
