"""Reloads by anybody and upgrades of nginx's packages, while clients ask without a break."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.edge_host import STACK, Edge, edge, site

pytestmark = pytest.mark.bed
__all__ = ["edge"]

APP = "app.petcare.com"
CLIENTS = "/run/composeops/steady_clients.py"
STOP = "/run/composeops/steady.stop"
UNIT = "steady-clients"
SAID = "/run/composeops/steady.json"


@pytest.fixture(scope="module", autouse=True)
def prepared(edge: Edge) -> Iterator[None]:
    client = edge.host.module("composeops.stack.host_state", {"packages": ["python3-h2"]})
    assert not client["failed"], client["msg"]
    edge.host.write(CLIENTS, (Path(__file__).parent / "steady_clients.py").read_text(encoding="utf-8"))
    edge.publish(site(APP, routes=[{"path": "/", "stack": STACK, "service": "frontend", "port": 80}]))
    yield
    edge.host.run(["rm", CLIENTS, STOP, SAID], check=True)


def lost(edge: Edge, change: str, *, http_2: int) -> dict[str, object]:
    """Return what the clients counted around ``change``."""
    clients = f"systemd-run --quiet --collect --unit={UNIT} --property=StandardOutput=truncate:{SAID}"
    edge.host.run(f"rm -f {STOP}; {clients} python3 {CLIENTS} {APP} {STOP} {http_2}", check=True)
    try:
        # The change comes while they ask, and they go on for a while after it.
        edge.host.run(f"sleep 1; {change}; status=$?; sleep 1; exit $status", check=True)
    finally:
        edge.host.run(f"touch {STOP}; while systemctl is-active --quiet {UNIT}; do sleep 0.1; done", check=True)
    counted = json.loads(edge.host.run(["cat", SAID], check=True).stdout)
    assert counted["sent"] > 100
    return {key: counted[key] for key in ("failed", "causes")}


def master(edge: Edge) -> str:
    return edge.host.run(["cat", "/run/nginx.pid"], check=True).stdout


def test_whoever_reloads_nginx_loses_no_request(edge: Edge) -> None:
    before = master(edge)
    assert lost(edge, "systemctl reload nginx", http_2=2) == {"failed": 0, "causes": {}}
    assert master(edge) == before
    assert not edge.host.exists("/run/composeops/edge.draining")


# HTTP/2 clients are told to go by the reload itself, and waited for in vain: 30 s that the other test shows.
def test_an_upgrade_of_the_packages_loses_no_request(edge: Edge) -> None:
    before = master(edge)
    upgrade = "DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --reinstall nginx nginx-common"
    assert lost(edge, f"{upgrade} > /var/log/composeops-upgrade.log 2>&1", http_2=0) == {"failed": 0, "causes": {}}
    assert master(edge) != before
    for path in ("/run/composeops/edge.draining", "/run/systemd/system/nginx.service.d/composeops-upgrade.conf"):
        assert not edge.host.exists(path)
    # And an operator may restart it as ever.
    edge.host.run(["systemctl", "restart", "nginx"], check=True)
    assert not edge.sites(*edge.published or ())["failed"]
