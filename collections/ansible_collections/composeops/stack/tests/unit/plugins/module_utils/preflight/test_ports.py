"""Ports that somebody else has."""

from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.io.sockets import Listener
from ansible_collections.composeops.stack.plugins.module_utils.preflight.ports import Seen, Wanted, port_problems

HTTP = Wanted(80, "nginx", "its sites")
TRAEFIK = Wanted(80, "traefik", "its sites")
DATABASE = Wanted(5432, "shop", "publishing db")


def listener(port: int, process: str) -> Listener:
    return Listener("127.0.0.1", port, "1", process)


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (HTTP, Seen([], {})),
        (HTTP, Seen([listener(80, "nginx")], {})),
        (TRAEFIK, Seen([listener(80, "traefik")], {}, ["/etc/nginx/sites-enabled/blog"])),
        (HTTP, Seen([listener(8080, "apache2")], {})),
        (DATABASE, Seen([listener(5432, "dockerd")], {5432: "shop"})),
    ],
    ids=["free", "our-nginx", "our-traefik", "another-port", "our-container"],
)
def test_port_that_is_free_or_ours_is_no_problem(wanted: Wanted, seen: Seen) -> None:
    assert port_problems([wanted], seen) == []


@pytest.mark.parametrize(
    ("wanted", "seen", "holder"),
    [
        (HTTP, Seen([listener(80, "apache2")], {}), "apache2"),
        (HTTP, Seen([listener(80, "traefik")], {}), "traefik"),
        (TRAEFIK, Seen([listener(80, "nginx")], {}), "nginx"),
        (HTTP, Seen([listener(80, "")], {}), "an unknown process"),
        (HTTP, Seen([listener(80, "dockerd")], {80: "wordpress"}), "a container of wordpress"),
        (HTTP, Seen([listener(80, "dockerd")], {80: ""}), "a container outside of compose"),
        (DATABASE, Seen([listener(5432, "postgres")], {}), "postgres"),
        (DATABASE, Seen([listener(5432, "nginx")], {}), "nginx"),
        (DATABASE, Seen([], {5432: "other"}), "a container of other"),
    ],
    ids=[
        "web-server",
        "other-edge",
        "edge-before",
        "unknown",
        "container",
        "lone-container",
        "database",
        "nginx-on-another-port",
        "no-process",
    ],
)
def test_stranger_is_named(wanted: Wanted, seen: Seen, holder: str) -> None:
    (problem,) = port_problems([wanted], seen)
    assert problem.subject == "ports"
    assert problem.message == (
        f"port {wanted.port}, which {wanted.owner} needs for {wanted.purpose}, is taken by {holder}."
    )


def test_sites_of_somebody_else_are_named_where_we_need_nginx() -> None:
    seen = Seen([listener(80, "nginx")], {}, ["/etc/nginx/sites-enabled/blog"])
    (problem,) = port_problems([HTTP], seen)
    assert "/etc/nginx/sites-enabled/blog" in problem.message
    assert port_problems([DATABASE], seen) == []


def test_an_engine_that_whoever_comes_commands_forbids_the_run() -> None:
    (problem,) = port_problems([], Seen([], {}, engine_sockets=["tcp://0.0.0.0:2375"]))
    assert problem.subject == "ports"
    assert "tcp://0.0.0.0:2375, where whoever reaches it is root" in problem.message
