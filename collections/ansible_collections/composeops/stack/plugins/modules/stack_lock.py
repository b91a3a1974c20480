#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Holds a stack by hand, so that nobody changes it, and releases it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: stack_lock
short_description: Hold a stack, so that no run changes it, and release it
version_added: 0.1.0
description:
  - While a stack is held, M(composeops.stack.stack) in every state, M(composeops.stack.rollback) and
    M(composeops.stack.backup_restore) fail before they change anything, and say who holds it, why and until when.
  - A hold outlives reboots. It ends by itself; the next run says so and removes it.
  - A run that is under way goes on; a hold keeps out the ones after it.
  - The containers of the stack are not touched.
options:
  name:
    description: Name of the stack.
    type: str
    required: true
  state:
    description:
      - V(held) holds the stack. What another operator holds already is left alone, and the module fails.
      - V(released) releases it, whoever held it.
    type: str
    choices: [held, released]
    default: held
  reason:
    description: What others have to know. Required with O(state=held).
    type: str
    default: ""
  duration:
    description:
      - How long to hold it, such as V(45m), V(2h) or V(1d12h), up to V(7d).
      - The same operator, reason and duration again change nothing, and the time runs on. Another duration counts
        from now.
    type: str
    default: 1h
  operator:
    description: Who holds or releases it. Empty is the user of the connection.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns who holds the stack before and after.
    support: full
seealso:
  - module: composeops.stack.stack_info
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Keep deployments away while an incident is looked into
  composeops.stack.stack_lock:
    name: shop
    reason: incident 42
    duration: 2h
    operator: ada

- name: Let deployments at the shop again
  composeops.stack.stack_lock:
    name: shop
    state: released
"""

RETURN = r"""
hold:
  description: Who holds the stack now; empty where nobody does.
  returned: success
  type: dict
  contains:
    holder:
      description: The operator.
      type: str
      returned: while it is held
    reason:
      description: Why.
      type: str
      returned: while it is held
    since:
      description: Since when.
      type: str
      returned: while it is held
    until:
      description: When it ends by itself.
      type: str
      returned: while it is held
    seconds:
      description: For how long it was asked.
      type: int
      returned: while it is held
  sample:
    {"holder": "ada", "reason": "incident 42", "since": "2026-05-01T12:00:00+00:00",
     "until": "2026-05-01T14:00:00+00:00", "seconds": 7200}
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["hold stack shop until 2026-05-01T14:00:00+00:00: incident 42"]
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.release.hold import Hold
from ansible_collections.composeops.stack.plugins.module_utils.release.holding import Holding
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["held", "released"], "default": "held"},
    "reason": {"type": "str", "default": ""},
    "duration": {"type": "str", "default": "1h"},
    "operator": {"type": "str", "default": ""},
}


def run(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    stack = params["name"]
    store.path(stack)
    holding = Holding(stack, params["operator"], via="ansible", places=PLACES)
    if params["state"] == "held":
        change = holding.hold(params["reason"], params["duration"], check=check)
    else:
        change = holding.release(check=check)
    result: dict[str, Any] = {
        "changed": change.changed,
        "hold": asdict(change.after) if change.after else {},
        "plan": list(change.sentences),
        "diff": [{"before": _shown(change.before), "after": _shown(change.after)}] if change.changed else [],
    }
    return {**result, "warnings": list(change.notes)} if change.notes else result


def _shown(hold: Hold | None) -> str:
    return f"held by {hold}\n" if hold else "not held\n"


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
