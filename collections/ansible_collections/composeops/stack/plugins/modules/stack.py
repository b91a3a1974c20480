# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploys a compose file as a stack, gated by the health of its services."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack
short_description: Deploy a compose file as a stack and wait until it is healthy
version_added: 0.1.0
description:
  - Takes a plain compose file and its accompanying files from the controller to a running, healthy stack, in one call.
  - Only what must be reachable is published. Every C(ports) line of the compose file is left out, except for services
    that are O(routed) (on loopback, for the edge) or O(published) deliberately; the plan says so for each line.
  - Secrets are taken by name from the host, where M(composeops.stack.secrets) keeps them. A change of one recreates the
    services that use it.
  - A deployment that does not become healthy fails with the reason and the last log lines of each failing service,
    after the release before was put back.
  - Volumes are never removed, in any state.
  - Routed services are released without an interruption. The new release starts beside the one that serves, in a
    compose project of its own (blue or green in turn), becomes healthy, answers through the ports that the edge uses,
    and takes over from one request to the next. The old one ends when its requests have. All of them move together.
  - A service that does not tolerate two of itself is stopped before it is replaced, and the plan says so beforehand.
    This concerns services that write to a volume, that are published on a port of the host, that have a fixed address
    or that share namespaces. O(overlapping) names those of which two may run.
  - A run that was killed at any point is finished or undone by the next one; one release or the other serves meanwhile.
options:
  name:
    description: Name of the stack, which is also its compose project.
    type: str
    required: true
  state:
    description:
      - V(present) deploys the stack and starts what is stopped.
      - V(stopped) stops its containers and keeps them, over a reboot too, until V(present) or V(restarted).
      - V(restarted) restarts its containers and waits until they are healthy; this always reports a change.
      - V(absent) removes its containers and networks and the files of the deployment. Volumes and secrets stay.
      - V(data) makes its volumes and starts O(services) alone, with what they depend on, for data to be restored into.
        It leaves no release, so that V(present) is the first deployment after it. A stack that was deployed is left
        alone.
    type: str
    choices: [present, stopped, restarted, absent, data]
    default: present
  compose_file:
    description:
      - The compose file, on the controller. Required with O(state=present) and O(state=data).
    type: path
  files_directory:
    description:
      - Directory on the controller whose files the compose file refers to. It lies beside or below the compose file,
        and relative paths in the compose file mean the same on the host.
      - What C(env_file), C(extends) and C(include) name, and C(.env) beside the compose file, comes along without it.
    type: path
  environment:
    description: Values that the compose file interpolates and that anyone may read.
    type: dict
    default: {}
  secrets:
    description:
      - Names of values that the compose file interpolates, or uses as C(environment) of a compose secret, and that
        nobody may read. The values must be on the host.
    type: list
    elements: str
    default: []
  routed:
    description: Ports that the edge reaches. Each is published on a loopback port that stays the same.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: Name of the service.
        type: str
        required: true
      port:
        description: Port inside its container.
        type: int
        required: true
      path:
        description: What a new release is asked for through this port, twice, before requests go to it.
        type: str
        default: /
      status:
        description: The status it has to answer with; V(0) is any below 500.
        type: int
        default: 0
      version_header:
        description: A header that the answer must have, with O(routed[].version) where that is set.
        type: str
        default: ""
      version:
        description: What O(routed[].version_header) has to say, so that it is the new release that answers.
        type: str
        default: ""
  overlapping:
    description:
      - Services of which two may run at once, although they write to a volume.
      - A service that is not routed, such as a worker, is released together with the routed ones when it is listed
        here.
    type: list
    elements: str
    default: []
  consumers:
    description:
      - Those of O(overlapping) that read what the O(routed) services write, such as the worker of a queue.
      - Those of a release run before it gets its first request, and those of the release before are stopped by then. So
        none meets what a newer release wrote. Where the release does not take over, they are started again.
    type: list
    elements: str
    default: []
  rollout:
    description: How a release takes over from the one before.
    type: dict
    suboptions:
      strategy:
        description:
          - V(in_place) replaces the containers of a service where they are, so requests to it fail while it starts.
          - V(blue_green) starts the O(routed) services beside those that serve and lets them take over at once. Only
            services that cannot overlap are replaced in place, and the plan names them.
        type: str
        choices: [in_place, blue_green]
        default: in_place
      watch:
        description: Seconds to watch it after it took over. When it fails meanwhile, the one before serves again.
        type: float
        default: 5
      drain:
        description:
          - Seconds that requests of the one before have to end by themselves. After that its containers get their stop
            signal, and the C(stop_grace_period) of the compose file.
        type: float
        default: 30
      websockets:
        description:
          - Seconds that what is still open after O(rollout.drain), which is WebSockets, may stay. V(0) does not wait
            for them. The application closes what is left when it gets its stop signal, with 1012 (service restart)
            if it is written well.
        type: float
        default: 0
      warm:
        description:
          - Whether the routed services of the release before keep running until the next release, reached by nobody, so
            that going back is one switch. It costs their memory.
        type: bool
        default: false
      keep:
        description: How many releases are kept to go back to.
        type: int
        default: 5
      canary:
        description:
          - How a release is tried on a part of the requests before it gets all of them. One that does worse than the
            one before gets none any more, and the deployment fails.
        type: dict
        suboptions:
          steps:
            description: Percent of the requests that it gets, in rising steps from 1 to 99. Empty is no canary.
            type: list
            elements: int
            default: []
          hold:
            description: Seconds that each step is held, at least.
            type: float
            default: 60
          requests:
            description:
              - Requests that it must have answered before a step is judged. A step is held up to five times
                O(rollout.canary.hold) for them; when there are too few even then, the deployment fails.
            type: int
            default: 20
          errors:
            description: Percentage points that its share of failed requests may be above that of the release before.
            type: float
            default: 1
          latency:
            description: How many times as long as before its answers may take, at the 95th percentile.
            type: float
            default: 1.5
          sticky:
            description:
              - Whether a client stays with the release that it met first, V(address) by its address or V(cookie) by a
                cookie that is set while a canary runs. V(none) decides with every request.
            type: str
            choices: [none, address, cookie]
            default: none
  migration:
    description: A command that is run once from the new image before a release starts, such as a change of the schema.
    type: dict
    suboptions:
      service:
        description: A service that runs in a colour, whose image, environment and volumes the command gets.
        type: str
        required: true
      command:
        description: The command, word by word.
        type: list
        elements: str
        required: true
      timeout:
        description: Seconds it may take.
        type: float
        default: 600
      backup:
        description: Backup sources (their names) that are backed up before the command runs.
        type: list
        elements: str
        default: []
  published:
    description: Ports to publish deliberately, beside the routed ones.
    type: list
    elements: dict
    default: []
    suboptions:
      service:
        description: Name of the service.
        type: str
        required: true
      port:
        description: Port inside its container.
        type: int
        required: true
      host_port:
        description: Port on the host.
        type: int
        required: true
      address:
        description: Address on the host; V(0.0.0.0) is every IPv4 address. The host's firewall decides besides.
        type: str
        default: 127.0.0.1
      protocol:
        description: Protocol of the port.
        type: str
        choices: [tcp, udp]
        default: tcp
  port_base:
    description: The lowest loopback port that is allotted to routed services.
    type: int
    default: 21000
  health:
    description: How long services have to become healthy, each by itself.
    type: dict
    suboptions:
      attempts:
        description: Number of tries.
        type: int
        default: 30
      interval:
        description: Seconds between tries. Services are looked at more often, so that nobody waits for a try.
        type: float
        default: 5
  pull:
    description:
      - V(missing) pulls images that the host does not have.
      - V(always) also looks whether the registry has another image under the same tag, and then recreates its services.
        Check mode does not predict that, because it pulls nothing.
    type: str
    choices: [missing, always]
    default: missing
  log_lines:
    description: So many of the last lines of a failing service are in the error.
    type: int
    default: 40
  lock_wait:
    description:
      - Seconds that another run may take to end, such as a deployment by somebody else. V(0) does not wait, and says
        who holds the stack.
    type: float
    default: 0
  operator:
    description: Who does this, for the lock and the audit log of the host. Empty is the user of the connection.
    type: str
    default: ""
  services:
    description: With O(state=stopped) or O(state=restarted), only these services. With O(state=data), those to start.
    type: list
    elements: str
    default: []
  compose:
    description: Text of the compose file. Filled in from O(compose_file) on the controller.
    type: str
  source:
    description: What O(compose) is called in messages. Filled in on the controller.
    type: str
    default: compose.yaml
  files:
    description: The accompanying files. Filled in from O(files_directory) on the controller.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path relative to the compose file.
        type: str
        required: true
      content:
        description: Content in base64.
        type: str
        required: true
      executable:
        description: Whether the file may be executed.
        type: bool
        default: false
  declared_services:
    description: Names of the services, for predictions on a host without an engine. Filled in on the controller.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns what changes in the rendered compose file, its environment and files; secrets are masked.
    support: full
  action:
    description: The compose file and the accompanying files are read on the controller.
    support: full
notes:
  - Needs Docker Engine and the compose plugin on the host. In check mode a host without them gets a prediction.
  - A run has the stack for itself. While an operator holds it (M(composeops.stack.stack_lock)), every state is refused.
  - What changed something, or tried to, is in C(/var/log/composeops/audit.jsonl) of the host.
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Deploy the shop
  composeops.stack.stack:
    name: shop
    compose_file: "{{ inventory_dir }}/compose.yaml"
    files_directory: "{{ inventory_dir }}/files"
    environment:
      DB_NAME: shop
    secrets: [DB_PASSWORD]
    routed:
      - service: web
        port: 8080
    health:
      attempts: 30
      interval: 5

- name: Stop the shop for maintenance
  composeops.stack.stack:
    name: shop
    state: stopped

- name: Restart one service
  composeops.stack.stack:
    name: shop
    state: restarted
    services: [web]
"""

RETURN = r"""
services:
  description: State of each service, declared or found.
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
      description: Digest of the image in its registry, or its id where it has none; empty before a deployment.
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
  returned: with O(state=present)
  type: list
  elements: dict
  contains:
    service:
      description: Name of the service.
      type: str
      returned: success
    port:
      description: Port inside its container.
      type: int
      returned: success
    address:
      description: Address on the host.
      type: str
      returned: success
    host_port:
      description: Port on the host.
      type: int
      returned: success
      colour:
        description: The colour that listens there; empty where the service is replaced in place.
        type: str
        returned: success
  sample:
    - {"service": "web", "port": 8080, "address": "127.0.0.1", "host_port": 21000, "colour": "blue"}
    - {"service": "web", "port": 8080, "address": "127.0.0.1", "host_port": 21001, "colour": "green"}
release:
  description: Number of the release; in check mode the one before.
  returned: with O(state=present)
  type: int
  sample: 7
colour:
  description: Where its routed services run; empty where all are replaced in place.
  returned: with O(state=present)
  type: str
  sample: green
seconds:
  description: How long each step took, where anything changed.
  returned: with O(state=present)
  type: dict
  sample: {"pull": 2.1, "base": 0.6, "start": 4.2, "gate": 1.0, "switch": 0.0, "watch": 5.0, "drain": 4.5, "stop": 0.8}
revision:
  description: Name of the release, which changes with anything it consists of.
  returned: with O(state=present)
  type: str
  sample: 5f2b8c0de1a94b73
kept_volumes:
  description: Volumes of the stack that are still there.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: [shop_postgres_data]
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["recreate web: image shop/web:1.0.0 becomes shop/web:1.1.0"]
summary:
  description: Table for the end of the play.
  returned: when containers could be looked at
  type: list
  elements: dict
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.release import colours, report, state
from ansible_collections.composeops.stack.plugins.module_utils.release.audit import Operation
from ansible_collections.composeops.stack.plugins.module_utils.release.canary import check as check_canary
from ansible_collections.composeops.stack.plugins.module_utils.release.containers import Container, by_service
from ansible_collections.composeops.stack.plugins.module_utils.release.deployment import (
    Deployment,
    DeploymentFailed,
    Outcome,
    require_secrets,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.diff import differences
from ansible_collections.composeops.stack.plugins.module_utils.release.foundation import alone, lay
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History
from ansible_collections.composeops.stack.plugins.module_utils.release.model import (
    CanaryPolicy,
    HealthPolicy,
    Migration,
    Published,
    RolloutPolicy,
    Routed,
    StackFile,
    StackRequest,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.operations import Operations, Result
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, StackRun, stack_run
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

STATES = ["present", "stopped", "restarted", "absent", "data"]
ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": STATES, "default": "present"},
    "compose_file": {"type": "path"},
    "files_directory": {"type": "path"},
    "environment": {"type": "dict", "default": {}},
    # Names only; without this the option's own name would hide them in every message.
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "routed": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "service": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "path": {"type": "str", "default": "/"},
            "status": {"type": "int", "default": 0},
            "version_header": {"type": "str", "default": ""},
            "version": {"type": "str", "default": ""},
        },
    },
    "overlapping": {"type": "list", "elements": "str", "default": []},
    "consumers": {"type": "list", "elements": "str", "default": []},
    "rollout": {
        "type": "dict",
        "apply_defaults": True,
        "options": {
            "strategy": {"type": "str", "choices": ["in_place", "blue_green"], "default": "in_place"},
            "watch": {"type": "float", "default": 5},
            "drain": {"type": "float", "default": 30},
            "websockets": {"type": "float", "default": 0},
            "warm": {"type": "bool", "default": False},
            "keep": {"type": "int", "default": 5},
            "canary": {
                "type": "dict",
                "apply_defaults": True,
                "options": {
                    "steps": {"type": "list", "elements": "int", "default": []},
                    "hold": {"type": "float", "default": 60},
                    "requests": {"type": "int", "default": 20},
                    "errors": {"type": "float", "default": 1},
                    "latency": {"type": "float", "default": 1.5},
                    "sticky": {"type": "str", "choices": ["none", "address", "cookie"], "default": "none"},
                },
            },
        },
    },
    "migration": {
        "type": "dict",
        "options": {
            "service": {"type": "str", "required": True},
            "command": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "float", "default": 600},
            "backup": {"type": "list", "elements": "str", "default": []},
        },
    },
    "published": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "service": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "host_port": {"type": "int", "required": True},
            "address": {"type": "str", "default": "127.0.0.1"},
            "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
        },
    },
    "port_base": {"type": "int", "default": 21000},
    "health": {
        "type": "dict",
        # Not a default of {}: Ansible fills a default in place, and with it this constant.
        "apply_defaults": True,
        "options": {
            "attempts": {"type": "int", "default": 30},
            "interval": {"type": "float", "default": 5},
        },
    },
    "pull": {"type": "str", "choices": ["missing", "always"], "default": "missing"},
    "log_lines": {"type": "int", "default": 40},
    "lock_wait": {"type": "float", "default": 0},
    "operator": {"type": "str", "default": ""},
    "services": {"type": "list", "elements": "str", "default": []},
    # No secret, but pages of text that nobody wants in the host's journal at every run.
    "compose": {"type": "str", "no_log": True},
    "source": {"type": "str", "default": "compose.yaml"},
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "content": {"type": "str", "required": True, "no_log": True},
            "executable": {"type": "bool", "default": False},
        },
    },
    "declared_services": {"type": "list", "elements": "str", "default": []},
}


def request_from(params: Mapping[str, Any]) -> StackRequest:
    """Return what the options ask for; raise for what the argument specification cannot express."""
    if params["compose"] is None:
        raise InvalidInput(
            f"Stack {params['name']}: compose_file is missing.",
            "Name the compose file, which is read on the controller.",
        )
    if params["services"] and params["state"] == "present":
        raise InvalidInput(
            f"Stack {params['name']}: services goes with state stopped, restarted or data, not present.",
            "Leave it out: a deployment always moves the whole stack.",
        )
    store.path(params["name"])
    colours.check_stack(params["name"])
    health = HealthPolicy(**params["health"])
    if health.attempts < 1 or health.interval <= 0:
        raise InvalidInput(f"Stack {params['name']}: health needs at least one attempt and an interval above 0.")
    return StackRequest(
        name=params["name"],
        compose=params["compose"],
        source=params["source"],
        files=tuple(
            StackFile(entry["path"], base64.b64decode(entry["content"]), entry["executable"])
            for entry in sorted(params["files"], key=lambda entry: str(entry["path"]))
        ),
        environment={name: _text(value) for name, value in params["environment"].items()},
        secrets=tuple(params["secrets"]),
        routed=tuple(Routed(**entry) for entry in params["routed"]),
        overlapping=tuple(params["overlapping"]),
        consumers=tuple(params["consumers"]),
        rollout=rollout_from(params["name"], params["rollout"]),
        migration=migration_from(params["migration"]),
        published=tuple(Published(**entry) for entry in params["published"]),
        port_base=params["port_base"],
        health=health,
        pull=params["pull"],
        log_lines=params["log_lines"],
    )


def rollout_from(stack: str, entry: Mapping[str, Any]) -> RolloutPolicy:
    """Return how a release takes over; raise where that is not possible."""
    canary = CanaryPolicy(**{**entry["canary"], "steps": tuple(entry["canary"]["steps"])})
    rollout = RolloutPolicy(**{**entry, "canary": canary})
    for name, value, least in (
        ("watch", rollout.watch, 0),
        ("drain", rollout.drain, 0),
        ("websockets", rollout.websockets, 0),
        ("keep", rollout.keep, 1),
    ):
        if value < least:
            raise InvalidInput(f"Stack {stack}: rollout.{name} is {value:g}; it must be at least {least}.")
    check_canary(rollout, stack)
    return rollout


def migration_from(entry: Mapping[str, Any] | None) -> Migration | None:
    """Return the migration that is asked for."""
    if not entry:
        return None
    return Migration(**{**entry, "command": tuple(entry["command"]), "backup": tuple(entry["backup"])})


def _text(value: Any) -> str:
    """Return a value as a compose file would have written it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def present(params: Mapping[str, Any], work: StackRun, *, check: bool) -> dict[str, Any]:
    deployment = Deployment(request_from(params), CommandRunner())
    if not check:
        require_secrets(deployment)
        deployment.prepare()
    observed = deployment.observe()
    if not observed.engine:
        return without_engine(params, check=check)
    target = deployment.target(observed)
    plan = deployment.plan(observed, target)
    containers: Sequence[Container] = deployment.without_warm(observed.containers)
    record = observed.record
    digests = record.images if record else {}
    number, seconds, outcome = record.release if record else 0, {}, None
    if not check:
        if plan.changes:
            work.begin()
        outcome = deployment.apply(observed, target, plan, changing=work.begin)
        plan, containers, digests = outcome.plan, outcome.containers, outcome.digests
        number, seconds = outcome.release, dict(outcome.seconds)
    sentences = plan.sentences()
    if check and plan.refreshes:
        sentences.append(f"not checked: whether the registry moved {', '.join(plan.refreshes)}")
    states = report.service_states(
        by_service(containers), {service.name: service.image for service in target.all_services}, digests
    )
    return {
        "changed": plan.changes,
        "plan": [*sentences, *(outcome.notes if outcome else ())],
        "services": states,
        "endpoints": [asdict(endpoint) for endpoint in target.endpoints],
        "revision": target.revision,
        "release": number,
        "colour": plan.colours.colour if plan.colours else "",
        "seconds": seconds if plan.changes else {},
        "summary": tables(deployment, states, outcome),
        "diff": differences(observed.disk, target.files, params["secrets"], deployment.secret_values)
        + deployment.colour_differences(observed, target),
    }


def tables(
    deployment: Deployment, states: Sequence[Mapping[str, Any]], outcome: Outcome | None
) -> list[dict[str, Any]]:
    """Return what the end of the play shows: services, what became of each release, and the time line of this one."""
    stack = deployment.request.name
    record = state.read_state(stack, deployment.root)
    releases = History(stack, deployment.root).settled(record.release) if record else []
    return [
        report.summary(stack, states),
        *([report.releases_summary(stack, releases, record)] if releases else []),
        *(report.timeline(stack, outcome) if outcome else []),
    ]


def without_engine(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    """Predict the first deployment on a bare host, where only the names of the services are known."""
    if not check:
        raise ComposeOpsError(
            f"Stack {params['name']}: no Docker engine answers on this host.",
            "Run playbooks/provision.yml, which installs it; where it is installed, see `systemctl status docker`.",
        )
    return {
        "changed": True,
        "plan": [f"create {service}" for service in params["declared_services"]]
        + ["not checked: the compose file, its images and ports, because no Docker engine answers yet"],
        "services": [],
        "endpoints": [],
        "revision": "",
        "release": 0,
        "colour": "",
        "seconds": {},
        "diff": [],
    }


def other_result(stack: str, result: Result) -> dict[str, Any]:
    """Return what the module says after any state but present."""
    states = report.service_states(by_service(result.containers), {}, {})
    return {
        "changed": result.changed,
        "plan": list(result.plan),
        "services": states,
        "summary": [report.summary(stack, states)],
        "diff": [{"before": "", "after": "".join(f"{sentence}\n" for sentence in result.plan)}] if result.plan else [],
    }


OPERATIONS: dict[str, Operation] = {
    "present": "deploy",
    "stopped": "stop",
    "restarted": "restart",
    "absent": "remove",
    "data": "deploy",
}
"""What the states are called where it is told who does what."""


def run(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    stack, wanted = params["name"], params["state"]
    store.path(stack)
    options = {"operator": params["operator"], "wait": params["lock_wait"], "places": PLACES}
    with stack_run(stack, OPERATIONS[wanted], check=check, **options) as work:
        result = {"present": present, "data": data}.get(wanted, other)(params, work, check=check)
    return {**result, "warnings": work.notes} if work.notes else result


def data(params: Mapping[str, Any], work: StackRun, *, check: bool) -> dict[str, Any]:
    """Make what data is restored into."""
    services = params["services"]
    request = alone(request_from(params), services)
    deployment = Deployment(request, CommandRunner(), only=services)
    planned = lay(deployment, services, check=True)
    if planned.changed and not check:
        work.begin()
        lay(deployment, services, check=False)
    return {"changed": planned.changed, "plan": list(planned.plan), "services": [], "diff": []}


def other(params: Mapping[str, Any], work: StackRun, *, check: bool) -> dict[str, Any]:
    """Bring about any state but present."""
    planned = change(params, check=True)
    if check or not planned.changed:
        result = planned
    else:
        work.begin()
        result = change(params, check=False)
    said = other_result(params["name"], result)
    return {**said, "kept_volumes": list(result.volumes)} if params["state"] == "absent" else said


def change(params: Mapping[str, Any], *, check: bool) -> Result:
    """Stop, restart or remove the stack, or say what that would do."""
    operations = Operations(params["name"], CommandRunner())
    if params["state"] == "stopped":
        return operations.stop(params["services"], check=check)
    if params["state"] == "restarted":
        health = HealthPolicy(**params["health"])
        return operations.restart(params["services"], health, params["log_lines"], check=check)
    return operations.remove(check=check)


def left_by(stack: str, error: ComposeOpsError) -> dict[str, Any]:
    """Return what to say about the host after a deployment that failed; other errors come before anything changes."""
    if not isinstance(error, DeploymentFailed):
        return {}
    states = report.service_states(by_service(error.containers), {}, {})
    return {"changed": error.changed, "summary": [report.summary(stack, states)]}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(
        module,
        lambda: run(module.params, check=module.check_mode),
        after_failure=lambda error: left_by(module.params["name"], error),
    )


if __name__ == "__main__":
    main()
