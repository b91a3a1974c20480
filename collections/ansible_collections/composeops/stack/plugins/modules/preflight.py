#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks for everything that forbids a run, before the run changes anything."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Find everything that forbids a run before it changes anything
version_added: 0.1.0
description:
  - Looks at the variables, the compose files, the host, the registries and the backup store, and reports every problem
    in one failure, each with what to do next.
  - Changes nothing. To learn whether the bucket takes objects, an upload in parts is begun and given up, which leaves
    neither an object nor a version behind.
  - What a bare host cannot tell yet is listed as not checked yet, with who checks it before anything depends on it.
  - Used in a role, it also compares the variables of the run with the argument specifications of all roles beside it,
    and refuses names that no role knows.
options:
  systems:
    description: Supported systems, each as C(ID-VERSION_ID) of C(/etc/os-release).
    type: list
    elements: str
    default: [debian-12, debian-13]
  minimum_python:
    description: Oldest Python on the host.
    type: str
    default: "3.10"
  minimum_memory_mib:
    description: Memory the host has at least, in MiB.
    type: int
    default: 900
  minimum_free_mib:
    description: Free space in MiB by path; a path that is not there yet counts where it will be.
    type: dict
    default: {}
  clock_tolerance:
    description: Seconds the host's clock may differ from the controller's and from the store's.
    type: float
    default: 30
  edge_ports:
    description: Ports that the edge takes. Somebody else's process on one of them is a problem.
    type: list
    elements: int
    default: []
  edge_proxy:
    description: What takes them.
    type: str
    choices: [nginx, traefik]
    default: nginx
  names:
    description: Host names that a public authority will look for at this host.
    type: list
    elements: str
    default: []
  public_addresses:
    description: Addresses under which the world reaches a host behind NAT, instead of the host's own.
    type: list
    elements: str
    default: []
  registry_mirrors:
    description: Registries asked for images of Docker Hub before Docker Hub itself, as URLs.
    type: list
    elements: str
    default: []
  stacks:
    description: The stacks of the host, as C(stack_definitions) has them; what is not named below is left to the role.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the stack.
        type: str
        required: true
      compose_file:
        description: The compose file, on the controller.
        type: path
      environment:
        description: Values that the compose file interpolates and that anyone may read.
        type: dict
        default: {}
      secrets:
        description: Secrets of the stack, as M(composeops.stack.secrets) takes them.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the variable that the compose file uses.
            type: str
            required: true
          value:
            description: The value, where it is given.
            type: str
            default: ""
          length:
            description: Characters of a generated value.
            type: int
            default: 48
          generate:
            description: Whether a missing value is generated.
            type: bool
            default: true
          minimum_length:
            description: A given value with fewer characters is weak.
            type: int
            default: 12
      published:
        description: Ports that are published deliberately.
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
            description: Address on the host.
            type: str
            default: 127.0.0.1
          protocol:
            description: Protocol of the port.
            type: str
            default: tcp
      compose:
        description: Text of the compose file. Filled in on the controller.
        type: str
        default: ""
      source:
        description: What the compose file is called in messages. Filled in on the controller.
        type: str
        default: compose.yaml
      images:
        description: Images that the stack pulls. Filled in on the controller.
        type: list
        elements: str
        default: []
  recipients:
    description: Public keys of age that backups are encrypted to; left out where they are not to be.
    type: list
    elements: str
  store:
    description: The bucket that backups go to; left out where there are none.
    type: dict
    suboptions:
      endpoint:
        description: URL of the S3 server; empty for Amazon's.
        type: str
        default: ""
      region:
        description: Region of the bucket.
        type: str
        default: us-east-1
      bucket:
        description: Name of the bucket.
        type: str
        required: true
      access_key:
        description: Access key.
        type: str
        required: true
      secret_key:
        description: Secret key.
        type: str
        required: true
      ca:
        description: PEM text of the authority that signed the server's certificate, where the system does not know it.
        type: str
        default: ""
      path_style:
        description: Whether the bucket is part of the path and not of the host name.
        type: bool
        default: true
  monitor:
    description: What the health monitor is told, read on the controller alone; left out where none is set up.
    type: dict
  skip:
    description: Subjects that are not looked at, for the day on which one of them must not stand in the way.
    type: list
    elements: str
    default: []
    choices:
      [system, variables, secrets, ports, names, disk, memory, clock, compose, images, bucket, monitor, confinement]
  arguments:
    description: Names that the playbook takes with C(-e), which M(composeops.stack.arguments) has looked at already.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
    details: Looks at everything in check mode too.
  diff_mode:
    description: Will return details on what has changed.
    support: none
    details: Nothing is ever changed.
  action:
    description: Variables and compose files are looked at on the controller, and its clock is compared with the host's.
    support: full
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Look for what forbids a run
  composeops.stack.preflight:
    minimum_memory_mib: 2000
    minimum_free_mib: {/var/lib: 5000}
    edge_ports: [80, 443]
    names: [shop.example.com]
    stacks: "{{ stack_definitions }}"
    store: "{{ backup_store }}"

- name: Deploy while the backup store is down, knowingly
  composeops.stack.preflight:
    stacks: "{{ stack_definitions }}"
    store: "{{ backup_store }}"
    skip: [bucket]
"""

RETURN = r"""
problems:
  description: Everything that forbids the run.
  returned: always
  type: list
  elements: dict
  contains:
    subject:
      description: What was looked at.
      type: str
      returned: always
    message:
      description: What is wrong and where.
      type: str
      returned: always
    remedy:
      description: What to do next.
      type: str
      returned: always
  sample:
    - subject: ports
      message: port 80, which nginx needs for its sites, is taken by apache2.
      remedy: "Stop and disable it: `ss -ltnp sport = :80` on the host shows it."
host_time:
  description: The host's clock when the module began, in seconds since 1970.
  returned: always
  type: float
  sample: 1795348800.25
ansible_facts:
  description: Name and version of the distribution, by which roles choose packages, as Ansible's own facts have them.
  returned: always
  type: dict
  sample: {distribution: Debian, distribution_version: "13"}
plan:
  description:
    - What was not checked yet, and hints about what services could be confined in further; one sentence each.
    - Hints come as soon as the host has the engine that reads the compose file.
  returned: always
  type: list
  elements: str
  sample: []
"""

import time
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Store
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.preflight.machine import Requirements
from ansible_collections.composeops.stack.plugins.module_utils.preflight.model import SUBJECTS, message
from ansible_collections.composeops.stack.plugins.module_utils.preflight.ports import EDGE, EDGES, Wanted
from ansible_collections.composeops.stack.plugins.module_utils.preflight.run import Preflight, Request, StackFacts
from ansible_collections.composeops.stack.plugins.module_utils.secrets.model import (
    DEFAULT_LENGTH,
    MINIMUM_LENGTH,
    SecretSpec,
)
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

SECRET_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "value": {"type": "str", "default": "", "no_log": True},
    "length": {"type": "int", "default": DEFAULT_LENGTH},
    "generate": {"type": "bool", "default": True},
    "minimum_length": {"type": "int", "default": MINIMUM_LENGTH},
}

PUBLISHED_SPEC: dict[str, Any] = {
    "service": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "host_port": {"type": "int", "required": True},
    "address": {"type": "str", "default": "127.0.0.1"},
    "protocol": {"type": "str", "default": "tcp"},
}

STACK_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "compose_file": {"type": "path"},
    "environment": {"type": "dict", "default": {}},
    # The values alone are secret; without this, the option's name would hide the names too.
    "secrets": {"type": "list", "elements": "dict", "default": [], "no_log": False, "options": SECRET_SPEC},
    "published": {"type": "list", "elements": "dict", "default": [], "options": PUBLISHED_SPEC},
    "compose": {"type": "str", "default": ""},
    "source": {"type": "str", "default": "compose.yaml"},
    "images": {"type": "list", "elements": "str", "default": []},
}

STORE_SPEC: dict[str, Any] = {
    "endpoint": {"type": "str", "default": ""},
    "region": {"type": "str", "default": "us-east-1"},
    "bucket": {"type": "str", "required": True},
    "access_key": {"type": "str", "required": True, "no_log": True},
    "secret_key": {"type": "str", "required": True, "no_log": True},
    "ca": {"type": "str", "default": ""},
    "path_style": {"type": "bool", "default": True},
}

ARGUMENT_SPEC: dict[str, Any] = {
    "systems": {"type": "list", "elements": "str", "default": ["debian-12", "debian-13"]},
    "minimum_python": {"type": "str", "default": "3.10"},
    "minimum_memory_mib": {"type": "int", "default": 900},
    "minimum_free_mib": {"type": "dict", "default": {}},
    "clock_tolerance": {"type": "float", "default": 30},
    "edge_ports": {"type": "list", "elements": "int", "default": []},
    "edge_proxy": {"type": "str", "choices": list(EDGES), "default": EDGE},
    "names": {"type": "list", "elements": "str", "default": []},
    "public_addresses": {"type": "list", "elements": "str", "default": []},
    "registry_mirrors": {"type": "list", "elements": "str", "default": []},
    "stacks": {"type": "list", "elements": "dict", "default": [], "options": STACK_SPEC},
    "recipients": {"type": "list", "elements": "str"},
    "store": {"type": "dict", "options": STORE_SPEC},
    # It holds the URLs of webhooks; the action plugin keeps it back.
    "monitor": {"type": "dict", "no_log": True},
    "skip": {"type": "list", "elements": "str", "default": [], "choices": list(SUBJECTS)},
    "arguments": {"type": "list", "elements": "str", "default": []},
}


def requested(params: dict[str, Any]) -> Request:
    """Return the module's arguments as a request."""
    stacks = params["stacks"]
    ports = [Wanted(port, params["edge_proxy"], "its sites") for port in params["edge_ports"]]
    ports += [
        Wanted(entry["host_port"], stack["name"], f"publishing {entry['service']}")
        for stack in stacks
        for entry in stack["published"]
        if entry["protocol"] == "tcp"
    ]
    return Request(
        required=Requirements(
            systems=params["systems"],
            python=tuple(int(part) for part in params["minimum_python"].split(".")),
            memory_mib=params["minimum_memory_mib"],
            free_mib={path: int(size) for path, size in params["minimum_free_mib"].items()},
        ),
        ports=tuple(ports),
        names=tuple(params["names"]),
        public_addresses=tuple(params["public_addresses"]),
        stacks=tuple(
            StackFacts(
                name=stack["name"],
                compose=stack["compose"],
                source=stack["source"],
                environment={name: str(value) for name, value in stack["environment"].items()},
                secrets=tuple(SecretSpec(**secret) for secret in stack["secrets"]),
                images=tuple(stack["images"]),
            )
            for stack in stacks
        ),
        mirrors=tuple(params["registry_mirrors"]),
        store=Store(**params["store"]) if params["store"] else None,
        clock_tolerance=params["clock_tolerance"],
        skip=frozenset(params["skip"]),
        recipients=None if params["recipients"] is None else tuple(params["recipients"]),
    )


def run(params: dict[str, Any]) -> dict[str, Any]:
    host_time = time.time()
    findings = Preflight(requested(params), CommandRunner()).run()
    result: dict[str, Any] = {
        "changed": False,
        "host_time": host_time,
        "ansible_facts": dict(findings.facts),
        "problems": [asdict(problem) for problem in findings.problems],
        "plan": [
            *(deferred.sentence() for deferred in findings.deferred),
            *(hint.sentence() for hint in findings.hints),
        ],
    }
    if findings.problems:
        result.update(failed=True, msg=message(findings.problems))
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params))


if __name__ == "__main__":
    main()
