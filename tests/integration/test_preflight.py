"""Every subject of a preflight provoked on a real host: its message, all of them at once, and nothing changed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import ROOT, BedHost

pytestmark = pytest.mark.bed

NAME = "composeops.stack.preflight"
PORT = 18082
UNIT = "composeops-test-stranger.service"
SKEWED = "/tmp/composeops-test/skewed-python"
COMPOSE = """\
services:
  web:
    image: petcare/backend:${VERSION}
    environment: {SMTP_HOST: "${SMTP_HOST:?}"}
"""


@pytest.fixture(scope="module", autouse=True)
def provocations(host: BedHost) -> Iterator[None]:
    """A stranger on a port, a name that leads elsewhere, and a Python whose clock is an hour ahead."""
    stranger = f"python3 -m http.server {PORT} --bind 127.0.0.1 --directory /var/empty"
    host.run(f"mkdir -p /var/empty; systemd-run --quiet --unit={UNIT} --collect {stranger}", check=True)
    host.run("echo '192.0.2.1 elsewhere.composeops.test' >> /etc/hosts", check=True)
    host.write(
        "/tmp/composeops-test/sitecustomize.py", "import time\nnow = time.time\ntime.time = lambda: now() + 3600\n"
    )
    host.write(SKEWED, '#!/bin/sh\nPYTHONPATH=/tmp/composeops-test exec /usr/bin/python3 "$@"\n', "0755")
    yield
    # /etc/hosts may be a mount, so it is written and not replaced.
    host.run("grep -v composeops.test /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts", check=True)
    host.run(f"systemctl stop {UNIT}; rm -rf /tmp/composeops-test /tmp/hosts", check=True)


def look(host: BedHost, arguments: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    return host.module(NAME, arguments, **options)


def stack(host: BedHost, text: str = COMPOSE, **changes: Any) -> dict[str, Any]:
    """Return a definition whose compose file is ``text``."""
    path = host.directory / "compose.yaml"
    path.write_text(text)
    environment = {"VERSION": "1.0.0", "SMTP_HOST": "smtp.example"}
    return {"name": "preflight-test", "compose_file": str(path), "environment": environment, **changes}


def images_of_the_bed(definition: dict[str, Any]) -> dict[str, Any]:
    return {"stacks": [definition], "registry_mirrors": "{{ docker_engine_registry_mirrors }}"}


def test_host_that_has_everything_passes_twice_in_either_mode(host: BedHost) -> None:
    arguments = {**images_of_the_bed(stack(host)), "edge_ports": [80, 443], "store": "{{ backup_store }}"}
    for check in (True, False, True, False):
        result = look(host, arguments, check=check)
        assert not result["failed"], result["msg"]
        assert not result["changed"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"systems": ["fedora-43"]}, "which is not supported. Use one of: fedora-43."),
        ({"minimum_python": "4.0"}, "and at least 4.0 is needed. Install it"),
        ({"minimum_memory_mib": 99_999_999}, "memory: this host has "),
        ({"minimum_free_mib": {"/var/lib/not/yet": 99_999_999}}, "disk: /var/lib/not/yet has "),
        ({"edge_ports": [PORT]}, f"port {PORT}, which nginx needs for its sites, is taken by python3."),
        ({"names": ["nowhere.invalid"]}, "names: nowhere.invalid does not resolve on this host"),
        ({"names": ["elsewhere.composeops.test"]}, "resolves to 192.0.2.1, which is not this host ("),
        ({"names": ["localhost"]}, "on this host, which says nothing about the world."),
        (
            {"store": "{{ backup_store | combine({'bucket': 'composeops-nowhere'}) }}"},
            "bucket composeops-nowhere at https://",
        ),
        ({"store": "{{ backup_store | combine({'secret_key': 'wrong-wrong-wrong'}) }}"}, "SignatureDoesNotMatch"),
        ({"store": "{{ backup_store | combine({'ca': ''}) }}"}, "is not trusted"),
        (
            {"store": "{{ backup_store | combine({'endpoint': 'http://127.0.0.1:9'}) }}"},
            "Nothing listens on 127.0.0.1:9",
        ),
    ],
    ids=[
        *("system", "python", "memory", "disk", "port", "name-unknown", "name-elsewhere", "name-loopback"),
        *("bucket-missing", "bucket-key", "bucket-authority", "bucket-unreachable"),
    ],
)
def test_problem_of_the_host_is_reported(host: BedHost, arguments: dict[str, Any], message: str) -> None:
    result = look(host, arguments)
    assert result["failed"]
    assert message in result["msg"]
    assert result["msg"].startswith("1 problem forbids this run; nothing was changed.\n1. ")
    assert not result["changed"]


def test_published_port_that_a_stranger_has_is_reported(host: BedHost) -> None:
    published = [{"service": "web", "port": 3000, "host_port": PORT}]
    result = look(host, images_of_the_bed(stack(host, published=published)))
    assert f"port {PORT}, which preflight-test needs for publishing web, is taken by python3." in result["msg"]


def test_clock_that_is_off_is_reported(host: BedHost) -> None:
    result = look(host, {}, variables={"ansible_python_interpreter": SKEWED})
    assert result["failed"]
    assert "s ahead of the controller's, and 30 s are tolerated." in result["msg"]


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ({"name": "SMTP_PASS", "generate": False}, "SMTP_PASS has no value"),
        ({"name": "SMTP_PASS", "value": "changeme"}, "SMTP_PASS is refused: it is a well-known password"),
        ({"name": "SMTP_PASS", "value": "your-smtp-password"}, "SMTP_PASS is refused: it is a placeholder"),
        ({"name": "SMTP_PASS", "value": "x7!Q"}, "SMTP_PASS is refused: it has 4 characters"),
    ],
    ids=["missing", "well-known", "placeholder", "short"],
)
def test_secret_that_is_missing_or_weak_is_reported(host: BedHost, secret: dict[str, Any], message: str) -> None:
    result = look(host, images_of_the_bed(stack(host, secrets=[secret])))
    assert result["failed"]
    assert f"secrets: stack preflight-test: {message}" in result["msg"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("services:", "services: ["), "compose.yaml, line "),
        (("image:", "imagee:"), "service web has neither image nor build (is imagee one of them?)"),
        (
            ("${VERSION}", "${VERSOIN}"),
            "line 3 uses VERSOIN, which neither environment nor secrets of the stack define",
        ),
    ],
    ids=["yaml", "no-image", "variable"],
)
def test_compose_file_that_is_invalid_is_reported(host: BedHost, change: tuple[str, str], message: str) -> None:
    result = look(host, images_of_the_bed(stack(host, COMPOSE.replace(*change))))
    assert result["failed"]
    assert message in result["msg"]


def test_image_that_cannot_be_pulled_is_reported(host: BedHost) -> None:
    definition = stack(host, environment={"VERSION": "9.9.9", "SMTP_HOST": "smtp.example"})
    result = look(host, images_of_the_bed(definition))
    assert result["failed"]
    assert "images: petcare/backend:9.9.9 of stack preflight-test cannot be pulled: http://" in result["msg"]
    assert "answered 404 (not there)" in result["msg"]


def test_every_problem_is_in_one_failure(host: BedHost) -> None:
    definition = stack(host, COMPOSE.replace("image:", "imagee:"), secrets=[{"name": "A", "value": "changeme"}])
    arguments = {
        **images_of_the_bed(definition),
        "systems": ["fedora-43"],
        "minimum_memory_mib": 99_999_999,
        "edge_ports": [PORT],
        "names": ["nowhere.invalid"],
        "store": "{{ backup_store | combine({'bucket': 'composeops-nowhere'}) }}",
    }
    result = look(host, arguments, variables={"ansible_python_interpreter": SKEWED})
    assert {problem["subject"] for problem in result["problems"]} >= {
        *("system", "secrets", "ports", "names", "memory", "clock", "compose", "bucket")
    }
    assert result["msg"].count("\n") == len(result["problems"])


def test_subject_is_left_out_knowingly(host: BedHost) -> None:
    arguments = {"systems": ["fedora-43"], "minimum_memory_mib": 99_999_999, "skip": ["system", "memory"]}
    assert not look(host, arguments)["failed"]


@pytest.fixture
def site() -> Path:
    return ROOT / "playbooks/site.yml"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"edge_site": []}, "edge_site is set, but the role edge has no such variable. Did you mean edge_sites?"),
        ({"bakup_store": {}}, "bakup_store is set, but no role has such a variable. Did you mean backup_store?"),
        ({"xyzzy": 1}, "-e xyzzy is given, but nothing reads it."),
        ({"edge_sites": [{"name": "a.example", "rotues": []}]}, "edge_sites.rotues"),
        ({"docker_engine_mtu": "wide"}, "docker_engine_mtu"),
        ({"petcare_smtp_pass": "changeme"}, "SMTP_PASS is refused: it is a well-known password"),
    ],
    ids=["role-variable", "almost-a-role-variable", "extra-variable", "key-inside", "type", "weak-secret"],
)
def test_whole_run_stops_before_anything_is_changed(
    host: BedHost, site: Path, extra: dict[str, Any], message: str
) -> None:
    run = host.playbook(site, inventories=["inventories/petcare"], extra_variables=extra)
    assert not run.ok
    assert run.changed == []
    assert run.tasks[-1]["task"] == "Look for what forbids this run", run.output
    assert any(message in failure for failure in run.failures), run.failures


def test_variable_of_the_inventory_may_be_given_with_e(host: BedHost) -> None:
    playbook = host.directory / "look.yml"
    playbook.write_text(
        textwrap.dedent(
            """\
            - name: Look
              hosts: all
              become: true
              gather_facts: false
              roles: [preflight]
            """
        )
    )
    # The inventory finds its files from the playbook's place, and this playbook is elsewhere.
    extra = {"petcare_version": "1.1.0", "petcare_directory": str(ROOT / "inventories/petcare"), "awx_job_id": 7}
    run = host.playbook(playbook, inventories=["inventories/petcare"], extra_variables=extra)
    assert run.failures == []
