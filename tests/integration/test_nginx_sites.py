"""The module nginx_sites against a real nginx: what visitors see, and what they never see."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.draining import FLAG
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import active
from ansible_collections.composeops.stack.plugins.module_utils.release.state import (
    Endpoint,
    StackState,
    directory,
    path,
    serialise,
)

from tests.integration.edge_host import STACK, Edge, edge, site

pytestmark = pytest.mark.bed
__all__ = ["edge"]

APP, CUSTOMER = "app.petcare.com", "customer.petcare.com"
CANARY, COLOURED = "edge-canary", {"blue": 21901, "green": 21902}
SITES = [site(APP, redirect_to_https=False), site(CUSTOMER)]
REMEMBERED = 1.0
"""Seconds for which a worker of nginx remembers at most whether a file is there (``open_file_cache_valid``)."""
LATEST = 10.0
"""Seconds in which it has to be over, on a machine that does other things as well."""


def generation(edge: Edge) -> str:
    return edge.host.run(["readlink", "/etc/nginx/composeops/live"], check=True).stdout.strip()


def workers(edge: Edge) -> str:
    """Return the process ids of nginx's workers, which are new after every reload."""
    return edge.host.run("cat /proc/$(cat /run/nginx.pid)/task/*/children", check=True).stdout


def seen(edge: Edge, url: str) -> dict[str, object]:
    """Return what the service behind nginx saw of a request for ``url``; over HTTP, so that no certificate matters."""
    return dict(json.loads(edge.get(url).body))


def test_sites_are_predicted_published_and_then_left_alone(edge: Edge) -> None:
    before = generation(edge)
    predicted = edge.sites(*SITES, check=True, diff=True)
    assert (predicted["changed"], generation(edge)) == (True, before)
    applied = edge.sites(*SITES, diff=True)
    assert (applied["changed"], applied["plan"], applied["diff"]) == (True, predicted["plan"], predicted["diff"])
    processes = workers(edge)
    for check in (True, False):
        again = edge.sites(*SITES, check=check)
        assert (again["changed"], again["plan"]) == (False, [])
    assert workers(edge) == processes


def test_pet_02_requests_reach_their_service_with_the_forwarding_headers(edge: Edge) -> None:
    edge.publish(*SITES)
    assert seen(edge, f"http://{APP}/x?y=1")["path"] == "/x?y=1"
    api = seen(edge, f"http://{APP}/api/pets")
    headers = {name.lower(): value for name, value in dict(api["headers"]).items()}  # type: ignore[call-overload]
    assert (api["path"], headers["host"], headers["x-forwarded-proto"]) == ("/api/pets", APP, "http")
    assert headers["x-real-ip"] == headers["x-forwarded-for"] != "127.0.0.1"


def test_pet_02_replicas_take_turns(edge: Edge) -> None:
    edge.publish(*SITES)
    assert {seen(edge, f"http://{APP}/api/")["port"] for _ in range(16)} == {21901, 21902}


@pytest.mark.parametrize(("websocket", "status"), [(True, 101), (False, 200)], ids=["declared", "not-declared"])
def test_pet_02_only_declared_routes_are_upgraded_to_websockets(edge: Edge, websocket: bool, status: int) -> None:
    route = {"path": "/", "stack": STACK, "service": "backend", "port": 3000, "websocket": websocket}
    edge.publish(site(APP, redirect_to_https=False, routes=[route]), SITES[1])
    request = f"GET /ws HTTP/1.1\r\nHost: {APP}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    with socket.create_connection((edge.host.address, 80), timeout=10) as connection:
        connection.sendall(request.encode())
        stream = connection.makefile("rwb")
        assert int(stream.readline().split()[1]) == status
        if websocket:
            while stream.readline() != b"\r\n":
                pass
            stream.write(b"hello\n")
            stream.flush()
            assert stream.readline() == b"hello\n"


def test_pet_03_http_redirects(edge: Edge) -> None:
    edge.publish(*SITES)
    answer = edge.get(f"http://{CUSTOMER}/a?b=c")
    assert (answer.status, answer.headers["location"]) == (301, f"https://{CUSTOMER}/a?b=c")


@pytest.mark.parametrize("url", ["http://unknown.petcare.com/", "https://unknown.petcare.com/"])
def test_unknown_names_are_answered_by_nobody(edge: Edge, url: str) -> None:
    edge.publish(*SITES)
    with pytest.raises(ComposeOpsError, match=r"closed the connection without an answer|unrecognized name"):
        edge.get(url)


def test_the_status_is_for_the_host_itself_only(edge: Edge) -> None:
    edge.publish(*SITES)
    assert edge.get("http://composeops.invalid/status").status == 403


@pytest.mark.parametrize("check", [True, False], ids=["check-mode", "for-real"])
def test_a_broken_site_is_named_and_takes_nothing_down(edge: Edge, check: bool) -> None:
    edge.publish(*SITES)
    before, processes = generation(edge), workers(edge)
    refused = edge.sites(site(APP, redirect_to_https=False), site(CUSTOMER, snippet="frobnicate on;"), check=check)
    assert refused["failed"]
    assert 'nginx refuses site customer.petcare.com: unknown directive "frobnicate"' in refused["msg"]
    assert re.search(r"\(line \d+: frobnicate on;\)", refused["msg"])
    assert (generation(edge), workers(edge)) == (before, processes)
    assert edge.get(f"http://{APP}/").status == 200


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"routes": [{"path": "/", "stack": STACK, "service": "mail", "port": 25}]}, "service mail of stack edge-test"),
        ({"routes": [{"path": "/", "upstream": ["db.internal:80"]}]}, "is not an IP address"),
        ({"client_max_body_size": "many"}, "'many' is not a size"),
        ({"redirects": True}, "Unsupported parameters"),
    ],
    ids=["service-without-endpoint", "upstream-by-name", "size", "unknown-key"],
)
def test_bad_input_is_refused_before_anything_changes(edge: Edge, broken: dict[str, object], message: str) -> None:
    edge.publish(*SITES)
    before = generation(edge)
    refused = edge.sites({**site(APP), **broken})
    assert refused["failed"]
    assert message in refused["msg"]
    assert generation(edge) == before


def test_what_was_changed_by_hand_is_put_right(edge: Edge) -> None:
    edge.publish(*SITES)
    edge.host.run(f"echo '# by hand' >> /etc/nginx/composeops/live/sites/{APP}.conf", check=True)
    assert edge.sites(*SITES)["plan"] == [f"change site {APP}"]
    assert edge.sites(*SITES)["changed"] is False


def test_a_run_killed_between_the_switch_and_the_reload_is_completed(edge: Edge) -> None:
    edge.publish(*SITES)
    number = int(generation(edge).rpartition("/")[2])
    # What such a run leaves: a complete tree that is live on disk, and an nginx that never heard of it.
    edge.host.run(
        f"cd /etc/nginx/composeops && cp -r generations/{number} generations/{number + 1}"
        f" && sed -i s/{number}/{number + 1}/ generations/{number + 1}/generation.conf"
        f" && ln -sfn generations/{number + 1} live",
        check=True,
    )
    completed = edge.sites(*SITES)
    assert completed["plan"] == [f"load the configuration: nginx still serves generation {number}, not {number + 1}"]
    assert edge.sites(*SITES)["changed"] is False


def answered(edge: Edge, uri: str) -> tuple[str, str]:
    """Return what the service saw of a path that is sent as it stands, and whether the connection is kept."""
    with contextlib.closing(http.client.HTTPConnection(edge.host.address, timeout=10)) as connection:
        connection.request("GET", uri, headers={"Host": APP})
        answer = connection.getresponse()
        return json.loads(answer.read())["path"], answer.getheader("Connection", "")


def wait_until_all_say(edge: Edge, connection: str) -> None:
    """Ask until every answer of more than a second said so: no worker remembers anything else after that."""
    began = since = time.monotonic()
    while time.monotonic() - since <= REMEMBERED:
        if answered(edge, "/api/")[1] != connection:
            since = time.monotonic()
        assert since - began < LATEST, f"some answers still do not say {connection}"


@contextlib.contextmanager
def clients_let_go(edge: Edge) -> Iterator[None]:
    """Have every worker close connections for the block."""
    edge.host.run(["touch", FLAG], check=True)
    try:
        wait_until_all_say(edge, "close")
        yield
    finally:
        edge.host.run(["rm", FLAG], check=True)
        wait_until_all_say(edge, "keep-alive")


@pytest.mark.parametrize("uri", ["/api/pets", "/api/a%2Fb//c%3Fd%20e/../f?x=%2F&y=1?", "/?q"])
def test_while_clients_are_let_go_answers_close_and_services_see_the_same(edge: Edge, uri: str) -> None:
    edge.publish(*SITES)
    assert answered(edge, uri) == (uri, "keep-alive")
    with clients_let_go(edge):
        assert answered(edge, uri) == (uri, "close")
    assert answered(edge, uri) == (uri, "keep-alive")


def weigh(edge: Edge, call: str) -> None:
    """Have the program on the host do what a deployment does."""
    package = "ansible_collections.composeops.stack.plugins.module_utils.release"
    code = (
        f"import sys; sys.path.insert(0, '/usr/local/bin/composeops'); from {package} import clock, switch;"
        f"switch.NginxSwitch('{CANARY}', clock.SystemClock()).{call}"
    )
    edge.host.run(["python3", "-c", code], check=True)


def shares(edge: Edge, number: int = 200) -> dict[str, float]:
    """Return what part of the requests each colour answered."""
    ports = [int(str(seen(edge, f"http://{APP}/")["port"])) for _ in range(number)]
    return {colour: ports.count(port) / number for colour, port in COLOURED.items()}


@pytest.fixture
def coloured(edge: Edge) -> Iterator[None]:
    endpoints = tuple(Endpoint("web", 80, "127.0.0.1", port, colour) for colour, port in COLOURED.items())
    record = StackState(CANARY, CANARY, "1", "2026-01-01T00:00:00Z", endpoints=endpoints, colour="blue")
    edge.host.write(path(CANARY), serialise(record).decode())
    edge.publish(
        site(APP, redirect_to_https=False, routes=[{"path": "/", "stack": CANARY, "service": "web", "port": 80}])
    )
    yield
    edge.publish(*SITES)
    edge.host.run(f"rm -r {directory(CANARY)} && rm -rf {active.DIRECTORY}/{CANARY}.*", check=True)


def test_a_file_chooses_the_colour_and_a_canary_gets_its_share(edge: Edge, coloured: None) -> None:
    assert shares(edge, 10) == {"blue": 1, "green": 0}
    weigh(edge, "weigh('green', 30, 'none')")
    assert 0.15 < shares(edge)["green"] < 0.45
    # Also while clients are let go.
    with clients_let_go(edge):
        assert 0.15 < shares(edge)["green"] < 0.45
    weigh(edge, "weigh('green', 50, 'address')")
    assert 1 in shares(edge, 20).values()
    weigh(edge, "switch('green')")
    assert shares(edge, 10) == {"blue": 0, "green": 1}
    weigh(edge, "switch('blue')")
    assert shares(edge, 10) == {"blue": 1, "green": 0}


def test_a_run_killed_while_it_let_clients_go_is_mended(edge: Edge) -> None:
    edge.publish(*SITES)
    edge.host.run(["touch", FLAG], check=True)
    said = ["let connections be kept open again: a run was killed while it drained them"]
    for check in (True, False):
        mended = edge.sites(*SITES, check=check)
        assert (mended["changed"], mended["plan"]) == (True, said)
    assert answered(edge, "/api/")[1] == "keep-alive"
    assert edge.sites(*SITES)["changed"] is False


def test_a_stopped_nginx_is_started(edge: Edge) -> None:
    edge.publish(*SITES)
    edge.host.run(["systemctl", "stop", "nginx"], check=True)
    assert edge.sites(*SITES)["changed"]
    assert edge.get(f"http://{APP}/").status == 200


def test_a_site_that_is_no_longer_declared_is_gone(edge: Edge) -> None:
    edge.publish(*SITES)
    removed = edge.sites(site(APP, redirect_to_https=False))
    assert removed["plan"] == [
        f"remove site {CUSTOMER}",
        f"remove the TLS files of {CUSTOMER}, which is no longer declared",
    ]
    with pytest.raises(ComposeOpsError, match="closed the connection"):
        edge.get(f"http://{CUSTOMER}/")
    assert not edge.host.exists(f"/etc/nginx/composeops/tls/{CUSTOMER}")
