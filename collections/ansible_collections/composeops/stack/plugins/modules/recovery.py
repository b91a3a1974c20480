#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps how far the recovery of a host has come."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery
short_description: Keep how far the recovery of a host has come
version_added: 0.1.0
description:
  - Records on the host which phase of a recovery began when, and which sources were restored, in
    C(/var/lib/composeops/recovery.json). A run after one that failed goes on and restores nothing twice.
  - With O(phase=infrastructure) it refuses a host that has data of one of O(stacks), unless a recovery of it was begun
    and did not end, or O(overwrite) is given.
  - It restores nothing itself; C(playbooks/recover.yml) does.
options:
  phase:
    description: The phase that begins. V(finished) ends the last one and returns the table of all.
    type: str
    choices: [infrastructure, data, configuration, verification, finished]
    required: true
  stacks:
    description: Stacks whose volumes and releases make a host one that is not empty.
    type: list
    elements: str
    default: []
  overwrite:
    description: Whether a host that has data is recovered all the same, and a recovery that ended begins anew.
    type: bool
    default: false
  source:
    description: A source that was restored in this phase, which goes on.
    type: str
    default: ""
  backup:
    description: Id of the backup that O(source) was restored from.
    type: str
    default: ""
attributes:
  check_mode:
    description: Refuses what apply refuses, and records nothing.
    support: full
  diff_mode:
    description: The record is no configuration, so there is no difference to show.
    support: none
seealso:
  - module: composeops.stack.backup_restore
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Begin, or go on
  composeops.stack.recovery:
    phase: infrastructure
    stacks: [shop]

- name: Record what was restored
  composeops.stack.recovery:
    phase: data
    source: database
    backup: 20260131T023000Z-1f2e3d4c
"""

RETURN = r"""
restored:
  description: Source to the id of the backup that it was restored from.
  returned: success
  type: dict
  sample: {"database": "20260131T023000Z-1f2e3d4c"}
empty:
  description: Whether the host had no data when the recovery began, so that nothing is lost by what it restores.
  returned: success
  type: bool
  sample: true
seconds:
  description: How long each phase took that ended, over all runs.
  returned: success
  type: dict
  sample: {"infrastructure": 61.2, "data": 20.4}
plan:
  description: What begins, one sentence.
  returned: success
  type: list
  elements: str
summary:
  description: Tables of what was restored and of the phases.
  returned: with O(phase=finished)
  type: list
  elements: dict
"""

import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue
from ansible_collections.composeops.stack.plugins.module_utils.backup.recovery import progress
from ansible_collections.composeops.stack.plugins.module_utils.backup.recovery.progress import Progress
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.release import state
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

PATH = "/var/lib/composeops/recovery.json"

ARGUMENT_SPEC: dict[str, Any] = {
    "phase": {"type": "str", "choices": [*progress.PHASES, progress.FINISHED], "required": True},
    "stacks": {"type": "list", "elements": "str", "default": []},
    "overwrite": {"type": "bool", "default": False},
    "source": {"type": "str", "default": ""},
    "backup": {"type": "str", "default": ""},
}


def data_of(stacks: list[str]) -> str:
    """Return what this host holds of the stacks, in words."""
    docker = Docker(CommandRunner())
    for stack in stacks:
        if state.read_state(stack) is not None:
            return f"stack {stack} is deployed"
        try:
            volumes = docker.volumes(stack)
        except CommandError:
            continue  # no engine, no volumes
        if volumes:
            return f"stack {stack} has the volumes {', '.join(volumes)}"
    return ""


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    text = files.read_text(PATH)
    found = progress.parse(text, PATH) if text is not None else None
    now, clock, phase = catalogue.now().isoformat(timespec="seconds"), time.monotonic(), params["phase"]
    if phase == progress.PHASES[0]:
        data = data_of(params["stacks"])
        reached = progress.begin(found, data, now=now, clock=clock, overwrite=params["overwrite"])
    elif found is None or found.finished:
        if not check:
            raise ComposeOpsError(
                "No recovery of this host was begun.", "Run playbooks/recover.yml from the beginning."
            )
        reached = Progress(started=now)
    elif params["source"]:
        reached = progress.restored(found, params["source"], params["backup"])
    else:
        reached = progress.enter(found, phase, now=now, clock=clock)
    if not check:
        os.makedirs(os.path.dirname(PATH), mode=0o755, exist_ok=True)
        files.write_atomically(PATH, progress.serialise(reached), mode=0o600)
    result: dict[str, Any] = {
        "changed": True,
        "plan": [f"{params['source']} is restored." if params["source"] else f"{phase.capitalize()}."],
        "restored": dict(reached.restored),
        "empty": reached.empty,
        "seconds": dict(reached.seconds),
    }
    if phase == progress.FINISHED:
        table = {"title": "Recovery", "columns": ["phase", "seconds"], "rows": progress.rows(reached)}
        sources = [list(entry) for entry in sorted(reached.restored.items())]
        result["summary"] = [{"title": "Recovered from", "columns": ["source", "backup"], "rows": sources}, table]
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
