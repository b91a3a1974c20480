# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports the services of a stack, and what they wrote last."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_info
short_description: Report the services of a stack, and what they wrote last
version_added: 0.1.0
description:
  - Returns state, health, image and ports of each service, where the edge reaches the routed ones, and which release
    was deployed when. Also returns which run is at work on the stack, and who holds it by hand.
  - Returns the last log lines of chosen services if asked. Known secrets of the stack are masked in them.
  - A stack that was never deployed, and a host without an engine, are answers and no failures.
options:
  name:
    description: Name of the stack.
    type: str
    required: true
  services:
    description: Report only these services; all when empty.
    type: list
    elements: str
    default: []
  log_lines:
    description: How many of the last log lines of each service to return; none with V(0).
    type: int
    default: 0
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: full
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: See how the shop is
  composeops.stack.stack_info:
    name: shop

- name: See what the web service wrote last
  composeops.stack.stack_info:
    name: shop
    services: [web]
    log_lines: 100
"""

RETURN = r"""
deployed:
  description: Whether a deployment of the stack has passed its health gate on this host.
  returned: success
  type: bool
  sample: true
stopped:
  description: Whether an operator stopped the stack deliberately.
  returned: success
  type: bool
  sample: false
revision:
  description: Name of the deployed release; empty before the first one.
  returned: success
  type: str
  sample: 5f2b8c0de1a94b73
applied_at:
  description: When it was deployed; empty before the first one.
  returned: success
  type: str
  sample: "2026-05-01T12:00:00+00:00"
services:
  description: State of each service that was deployed or has containers.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the service.
      type: str
      returned: success
    image:
      description: Reference of its image.
      type: str
      returned: success
    image_id:
      description: Id of the image its containers run.
      type: str
      returned: success
    digest:
      description: Digest of the deployed image in its registry, or its id where it has none.
      type: str
      returned: success
    state:
      description: State of its containers, V(absent) where there are none.
      type: str
      returned: success
    health:
      description: Health of its containers; empty without a health check.
      type: str
      returned: success
    ok:
      description: Whether its containers run, and are healthy where that is checked, or were jobs that ended well.
      type: bool
      returned: success
    restarts:
      description: How often the engine restarted its containers.
      type: int
      returned: success
    containers:
      description: Names of its containers.
      type: list
      elements: str
      returned: success
    ports:
      description: Its published ports.
      type: list
      elements: str
      returned: success
  sample:
    - {name: web, image: "shop/web:1.0.0", image_id: "sha256:60c9", digest: "sha256:1f2e", state: running,
       health: healthy, ok: true, restarts: 0, containers: [shop-web-1], ports: ["127.0.0.1:21000->8080/tcp"]}
endpoints:
  description: Where this host reaches the routed services.
  returned: success
  type: list
  elements: dict
  sample: [{"service": "web", "port": 8080, "address": "127.0.0.1", "host_port": 21000}]
run:
  description: The run that is at work on the stack now, such as a deployment; empty where none is.
  returned: success
  type: dict
  contains:
    operator:
      description: Who started it.
      type: str
      returned: while one is
    operation:
      description: What it does.
      type: str
      returned: while one is
    via:
      description: V(ansible) or V(console).
      type: str
      returned: while one is
    since:
      description: Since when it has the stack.
      type: str
      returned: while one is
    host:
      description: The host where it runs.
      type: str
      returned: while one is
    process:
      description: Number of its process.
      type: int
      returned: while one is
    step:
      description: The step that it is at.
      type: str
      returned: while one is
    heartbeat:
      description: Since when it is at that step.
      type: str
      returned: while one is
  sample:
    {"operator": "ada", "operation": "deploy", "via": "ansible", "since": "2026-05-01T12:00:00+00:00",
     "host": "shop1", "process": 4711, "step": "start", "heartbeat": "2026-05-01T12:00:04+00:00"}
hold:
  description: Who holds the stack by hand, as M(composeops.stack.stack_lock) returns it; empty where nobody does.
  returned: success
  type: dict
  sample:
    {"holder": "ada", "reason": "incident 42", "since": "2026-05-01T12:00:00+00:00",
     "until": "2026-05-01T14:00:00+00:00", "seconds": 7200}
logs:
  description: The last lines of each service, oldest first.
  returned: with O(log_lines) above 0
  type: list
  elements: dict
  contains:
    service:
      description: Name of the service.
      type: str
      returned: success
    lines:
      description: Its lines.
      type: list
      elements: str
      returned: success
  sample: [{"service": "web", "lines": ["listening on 8080"]}]
summary:
  description: Table for the end of the play.
  returned: success
  type: list
  elements: dict
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.release import hold, lock, report
from ansible_collections.composeops.stack.plugins.module_utils.release.hold import Hold
from ansible_collections.composeops.stack.plugins.module_utils.release.lock import Holder
from ansible_collections.composeops.stack.plugins.module_utils.release.operations import Operations
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "services": {"type": "list", "elements": "str", "default": []},
    "log_lines": {"type": "int", "default": 0},
}


def run(params: Mapping[str, Any]) -> dict[str, Any]:
    stack = params["name"]
    operations = Operations(stack, CommandRunner())
    status = operations.status(params["services"])
    record = status.record
    running, held = lock.current(stack, PLACES.locks), hold.in_force(stack, PLACES.stacks)
    result: dict[str, Any] = {
        "changed": False,
        "deployed": record is not None,
        "stopped": bool(record and record.stopped),
        "revision": record.revision if record else "",
        "applied_at": record.applied_at if record else "",
        "services": list(status.services),
        "endpoints": [asdict(endpoint) for endpoint in record.endpoints] if record else [],
        "run": _shown(running) if running else {},
        "hold": asdict(held) if held else {},
        "summary": [report.summary(stack, status.services), *_locks(stack, running, held)],
    }
    if params["log_lines"] > 0:
        logs = operations.logs(params["services"], params["log_lines"])
        result["logs"] = [{"service": service, "lines": lines} for service, lines in logs.items()]
    return result


def _shown(running: Holder) -> dict[str, Any]:
    return {name: value for name, value in asdict(running).items() if name not in ("run", "started")}


def _locks(stack: str, running: Holder | None, held: Hold | None) -> list[dict[str, Any]]:
    """Return a table of who keeps others from changing the stack, where somebody does."""
    rows = [["run", running.operator, running.operation, running.since, "-"]] if running else []
    rows += [["by hand", held.holder, held.reason, held.since, held.until]] if held else []
    columns = ["held by", "operator", "what for", "since", "until"]
    return [{"title": f"Who holds {stack}", "columns": columns, "rows": rows}] if rows else []


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params))


if __name__ == "__main__":
    main()
