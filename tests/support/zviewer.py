"""The zviewer system on a host of the bed: its playbooks, its instances, its Consul and its keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support.containers import Run, identifiers
from tests.support.outside import Answer, Outside

SITE = "api.zviewer.com"
INVENTORY = ROOT / "inventories/zviewer"
PATHS = {
    "main-server": "/api",
    "media-service": "/api/media",
    "comments-service": "/api/comments",
    "payments-service": "/api/payments",
    "admin-service": "/api/admin",
}
"""Below which path of the gateway each service answers."""
LOCKED = ("payments-service", "admin-service")
"""Those that want a key."""
ASK = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"


def play(operator: BedHost, name: str, *arguments: str, **extra: Any) -> PlaybookRun:
    """Run a playbook as its header says; it has to succeed."""
    path = ROOT / f"playbooks/{name}.yml"
    run = operator.playbook(path, inventories=[INVENTORY], extra_variables=extra, arguments=arguments)
    assert run.ok, run.output
    return run


def instances(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Return `docker inspect` of every container of the stack, by the service's name in the compose file."""
    found: dict[str, list[dict[str, Any]]] = {}
    for container in json.loads(run(f"docker inspect {' '.join(identifiers(run, 'zviewer'))}")):
        labels = container["Config"]["Labels"]
        found.setdefault(labels.get("composeops.service") or labels["com.docker.compose.service"], []).append(container)
    return found


def consul(operator: BedHost, path: str) -> Any:
    """Return what Consul answers below /v1; only this host and its containers reach it."""
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    address = operator.output(["docker", "inspect", "--format", form, "zviewer-consul-1"])
    return json.loads(operator.output(["python3", "-c", ASK, f"http://{address}:8500/v1/{quote(path, safe='/?=')}"]))


def keys(operator: BedHost) -> dict[str, str]:
    """Return the keys of the gateway's consumers, by consumer."""
    secrets = json.loads(operator.read("/etc/composeops/secrets/zviewer.json"))
    return {name: secrets[f"GATEWAY_KEY_{name.upper()}"] for name in ("partner", "operations")}


def ask(outside: Outside, service: str, path: str, key: str = "", **options: Any) -> Answer:
    """Send a request to a service through edge and gateway."""
    headers = {**options.pop("headers", {}), **({"apikey": key} if key else {})}
    return outside.https(SITE, f"{PATHS[service]}{path}", headers=headers, **options)


def version(outside: Outside) -> str:
    return str(ask(outside, "main-server", "/version").json()["version"])


DEVELOPMENT = Path(ROOT / "inventories/zviewer-development/group_vars/development/stack.yml")
