"""The zviewer system on a host of the bed: its playbooks, its instances, its Consul and its keys."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.integration.bed_host import ROOT, BedHost, PlaybookRun
from tests.support.containers import Run, identifiers, record
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
KEPT_CHECKS = 5
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


TIMES = """
import http.client, sys, time
host, port, path, count = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
connection = http.client.HTTPConnection(host, port, timeout=10)
for _ in range(count):
    began = time.perf_counter()
    connection.request("GET", path, headers={"Host": "api.zviewer.com"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    print((time.perf_counter() - began) * 1000)
"""


def gateway_times(operator: BedHost, path: str, count: int) -> list[float]:
    """Return how many milliseconds the gateway took for each of ``count`` requests, asked from its own host."""
    known = record(operator.output, "zviewer")
    port = next(entry["host_port"] for entry in known["endpoints"] if entry["colour"] == known["colour"])
    return [
        float(line)
        for line in operator.output(["python3", "-c", TIMES, "127.0.0.1", str(port), path, str(count)]).split()
    ]


def seconds_until_healthy(container: dict[str, Any]) -> float | None:
    """Return how long a container took from its start to its first passed health check; None when that is forgotten."""
    state = container["State"]
    started = _moment(state["StartedAt"])
    checks = [(_moment(entry["End"]), entry["ExitCode"]) for entry in state["Health"]["Log"]]
    since = [(ended, status) for ended, status in checks if ended > started]
    passed = [ended for ended, status in since if status == 0]
    # The engine keeps the last five, over restarts too: one before them may have passed, unless the first failed.
    if not passed or (len(since) >= KEPT_CHECKS and since[0][1] == 0):
        return None
    return (passed[0] - started).total_seconds()


def _moment(text: str) -> datetime:
    """Read the engine's time stamps, whose nanoseconds Python does not take."""
    return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")


DEVELOPMENT = Path(ROOT / "inventories/zviewer-development/group_vars/development/stack.yml")
