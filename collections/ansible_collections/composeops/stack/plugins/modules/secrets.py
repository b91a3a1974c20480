#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Generates and keeps the secrets of a stack on its host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secrets
short_description: Generate and keep the secrets of a stack on its host
version_added: 0.1.0
description:
  - Keeps the secrets of one stack in C(/etc/composeops/secrets/<stack>.json), readable by root alone.
    The modules P(composeops.stack.stack#module) and P(composeops.stack.checks#module), backups, and the on-host program
    read them there by name, so that secrets never travel to the controller.
  - A secret without a value is generated once, on the host. It is never generated again, and never dropped, because
    the data of the stack depends on it.
  - A given value that is well known, too short or a placeholder is refused before anything is changed.
options:
  stack:
    description: Name of the stack, which is also its compose project.
    type: str
    required: true
  secrets:
    description:
      - The secrets of the stack. One that the host has and this list no longer names is kept and returned under
        RV(unlisted).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the variable that the compose file uses.
        type: str
        required: true
      value:
        description:
          - The value, from a vault or the environment of the run. An empty one counts as not given.
          - When it differs from the value on the host, the host's is replaced, and the services that use it are
            recreated by the next deployment.
        type: str
        default: ""
      length:
        description: Characters of a generated value, at least 20. A change does not touch an existing value.
        type: int
        default: 48
      generate:
        description: Whether to generate the value where none is given and the host has none.
        type: bool
        default: true
      minimum_length:
        description: A given value with fewer characters is refused.
        type: int
        default: 12
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns which secrets change; values are never shown.
    support: full
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Keep the secrets of the shop
  composeops.stack.secrets:
    stack: shop
    secrets:
      - name: DB_PASSWORD
      - name: JWT_SECRET
        length: 64
      - name: SMTP_PASS
        value: "{{ shop_smtp_pass }}"
        generate: false
"""

RETURN = r"""
secrets:
  description: The listed secrets, without their values.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the secret.
      type: str
      returned: success
    origin:
      description: V(generated) or V(given) by this run, or V(kept) as it was.
      type: str
      returned: success
  sample: [{"name": "DB_PASSWORD", "origin": "generated"}]
unlisted:
  description: Names of secrets that the host keeps although they are not listed.
  returned: success
  type: list
  elements: str
  sample: []
path:
  description: The file that holds the secrets.
  returned: success
  type: str
  sample: /etc/composeops/secrets/shop.json
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["generate DB_PASSWORD (48 characters)"]
"""

import os
import stat
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.secrets import plan as planning
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.module_utils.secrets.model import (
    DEFAULT_LENGTH,
    MINIMUM_LENGTH,
    SecretSpec,
)
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

LOCK = "/run/composeops/secrets.lock"


ARGUMENT_SPEC: dict[str, Any] = {
    "stack": {"type": "str", "required": True},
    "secrets": {
        "type": "list",
        "elements": "dict",
        "default": [],
        # The values alone are secret; without this, the option's name would hide the names too.
        "no_log": False,
        "options": {
            "name": {"type": "str", "required": True},
            "value": {"type": "str", "default": "", "no_log": True},
            "length": {"type": "int", "default": DEFAULT_LENGTH},
            "generate": {"type": "bool", "default": True},
            "minimum_length": {"type": "int", "default": MINIMUM_LENGTH},
        },
    },
}


def exposed(stack: str) -> list[str]:
    """Return what of the store others may read, as sentences of the plan."""
    found = []
    for path, mode in ((store.DIRECTORY, store.DIRECTORY_MODE), (store.path(stack), store.FILE_MODE)):
        if os.path.exists(path):
            actual = stat.S_IMODE(os.stat(path).st_mode)
            if actual != mode:
                found.append(f"set the mode of {path} to {mode:04o} (it is {actual:04o})")
    return found


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    stack = params["stack"]
    specs = [SecretSpec(**entry) for entry in params["secrets"]]
    stored = store.read(stack)
    plan = planning.make_plan(stack, specs, stored)
    repairs = exposed(stack)
    if (plan.changes or repairs) and not check:
        with files.exclusive(LOCK, f"secrets of stack {stack}"):
            # Another run may have generated them between the first look and the lock.
            stored = store.read(stack)
            plan = planning.make_plan(stack, specs, stored)
            store.write(stack, planning.resulting(plan, specs, stored, planning.generated))
    changing = {decision.name: decision for decision in plan.changes}
    return {
        "changed": bool(plan.changes or repairs),
        "secrets": [{"name": decision.name, "origin": decision.origin} for decision in plan.decisions],
        "unlisted": list(plan.unlisted),
        "path": store.path(stack),
        "plan": [decision.sentence() for decision in plan.changes] + repairs,
        "diff": [
            {
                "before_header": store.path(stack),
                "after_header": store.path(stack),
                "before": "".join(f"{name}=(sensitive)\n" for name in sorted(stored)),
                "after": "".join(
                    f"{name}=(sensitive{', ' + changing[name].origin + ' now' if name in changing else ''})\n"
                    for name in sorted({*stored, *changing})
                ),
            }
        ],
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
