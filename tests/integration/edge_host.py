"""A bed host with the role edge on it, a stack record, and small servers in the place of the stack's containers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.composeops.stack.plugins.module_utils.io import http
from ansible_collections.composeops.stack.plugins.module_utils.release.state import (
    Endpoint,
    StackState,
    directory,
    path,
    serialise,
)

from tests.integration.bed_host import BedHost

STACK = "edge-test"
PORTS = {"frontend": [21900], "backend": [21901, 21902]}
SERVER = """\
import http.server, json, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Upgrade", self.headers["Upgrade"])
            self.send_header("Connection", "upgrade")
            self.end_headers()
            self.wfile.write(self.rfile.readline())
            self.close_connection = True
            return
        body = json.dumps({"port": self.server.server_port, "path": self.path, "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
PREPARATION = [
    {"name": "Install the program", "composeops.stack.program": {}},
    {"name": "Install the edge", "ansible.builtin.import_role": {"name": "edge"}},
]


def site(name: str, **options: Any) -> dict[str, Any]:
    routes = [
        {"path": "/", "stack": STACK, "service": "frontend", "port": 80},
        {"path": "/api/", "stack": STACK, "service": "backend", "port": 3000},
    ]
    return {"name": name, "routes": routes, **options}


@dataclass
class Edge:
    """The host, and what a visitor outside it sees."""

    host: BedHost
    ca: str
    published: tuple[dict[str, Any], ...] | None = None
    """What the last successful run of the module was given; None when something else changed the host since."""

    def publish(self, *sites: dict[str, Any]) -> None:
        """Have the host serve exactly these sites, at no cost where it does already."""
        if self.published != sites:
            result = self.sites(*sites)
            assert not result["failed"], result["msg"]
            self.published = sites

    def sites(self, *sites: dict[str, Any], check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        self.published = None
        arguments = {"sites": list(sites), **options}
        return self.host.module("composeops.stack.nginx_sites", arguments, check=check, diff=diff)

    def certificates(self, *sites: dict[str, Any], check: bool = False, **options: Any) -> dict[str, Any]:
        arguments = {
            "sites": list(sites),
            "acme_directory": "{{ edge_acme_directory }}",
            "acme_ca_file": "/etc/composeops/acme-ca.pem",
            **options,
        }
        return self.host.module("composeops.stack.certificates", arguments, check=check)

    def get(self, url: str) -> http.Response:
        """Ask from outside the host, trusting the bed's authority."""
        return http.request(url, connect_to=self.host.address, ca=self.ca)

    def serial(self, name: str) -> str:
        """Return the serial number of the certificate that a visitor is shown."""
        shown = self.host.run(
            f"openssl s_client -connect 127.0.0.1:443 -servername {name} < /dev/null 2> /dev/null"
            " | openssl x509 -noout -serial",
            check=True,
        )
        return shown.stdout.strip()

    def reset(self) -> None:
        """Take every certificate and site away, so that what follows starts from a clean edge."""
        self.host.run(
            "for name in $(ls /etc/letsencrypt/live 2> /dev/null); do"
            " [ -d /etc/letsencrypt/live/$name ] && certbot delete --quiet --non-interactive --cert-name $name; done;"
            " rm -rf /etc/composeops/certificates.json /var/lib/composeops/certificates",
            check=True,
        )
        self.publish()


@pytest.fixture(scope="module")
def edge(host: BedHost, bed_inventory: Path) -> Iterator[Edge]:
    variables = yaml.safe_load((bed_inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
    play = {"name": "Prepare", "hosts": host.name, "become": True, "gather_facts": False, "tasks": PREPARATION}
    playbook = host.directory / "edge.yml"
    playbook.write_text(
        yaml.safe_dump([{**play, "vars": {"edge_sites": [], "edge_brotli": True}}], sort_keys=False), encoding="utf-8"
    )
    prepared = host.playbook(playbook)
    assert prepared.ok, prepared.output
    endpoints = [
        Endpoint(service, {"frontend": 80, "backend": 3000}[service], "127.0.0.1", port)
        for service, ports in PORTS.items()
        for port in ports
    ]
    record = StackState(STACK, STACK, "1", "2026-01-01T00:00:00Z", endpoints=tuple(endpoints))
    host.write(path(STACK), serialise(record).decode())
    host.write("/run/composeops/edge-test.py", SERVER)
    units = [f"edge-test-{endpoint.host_port}" for endpoint in endpoints]
    for unit in units:
        host.run(f"systemd-run --quiet --unit {unit} python3 /run/composeops/edge-test.py {unit.rpartition('-')[2]}")
    prepared_edge = Edge(host, variables["verify_ca"])
    prepared_edge.reset()
    yield prepared_edge
    prepared_edge.reset()
    host.run(["systemctl", "stop", *units], check=True)
    host.run(["rm", "-r", directory(STACK), "/run/composeops/edge-test.py"], check=True)
