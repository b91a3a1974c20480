#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Goes back to an earlier release of a stack, as a whole."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback
short_description: Go back to an earlier release of a stack
version_added: 0.1.0
description:
  - Releases again what an earlier release consisted of, compose file, files, values and images, on the same path as any
    other release, so that no request is lost. Values of secrets are those of today.
  - Images are looked at before anything moves. Each has to be the very image that the release ran. One that is missing,
    or whose name means another image now, is pulled by its digest; where that fails too, nothing happens.
  - Where the routed services of the release are still running (O(composeops.stack.stack#module:rollout.warm)), requests
    are switched back to them.
  - The release that is gone back from is marked as withdrawn; going back once more passes it over.
  - The inventory still declares what it declared. The next deployment releases that again.
  - Data is not taken back. A migration of the earlier release is not run again.
options:
  name:
    description: Name of the stack.
    type: str
    required: true
  release:
    description:
      - Number of the release to go back to, as M(composeops.stack.release_info) lists them. It must have served once.
      - V(0) is the newest good one before the active one.
    type: int
    default: 0
  prepare_only:
    description:
      - Only see that going back is possible, and get images that are not on the host. Nothing moves.
      - A playbook does this on all hosts before it goes back on any.
    type: bool
    default: false
  lock_wait:
    description: Seconds that another run may take to end. V(0) does not wait, and says who holds the stack.
    type: float
    default: 0
  operator:
    description: Who does this, for the lock and the audit log of the host. Empty is the user of the connection.
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns what changes in the rendered compose file, its environment and files; secrets are masked.
    support: full
seealso:
  - module: composeops.stack.stack
  - module: composeops.stack.release_info
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Go back to the release before
  composeops.stack.rollback:
    name: shop

- name: Go back to a certain release
  composeops.stack.rollback:
    name: shop
    release: 5
"""

RETURN = r"""
went_back_to:
  description: Number of the release that is repeated.
  returned: success
  type: int
  sample: 6
release:
  description: Number of the release that does so; in check mode the active one.
  returned: success
  type: int
  sample: 8
seconds:
  description: How long each step took, where anything changed.
  returned: success
  type: dict
  sample: {"base": 0.2, "gate": 1.0, "switch": 0.0, "watch": 5.0, "drain": 0.5, "stop": 0.8}
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["start web (image shop/web:1.1.0 becomes shop/web:1.0.0) in blue"]
summary:
  description: Tables for the end of the play.
  returned: success
  type: list
  elements: dict
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.release.going_back import GoingBack
from ansible_collections.composeops.stack.plugins.module_utils.release.run import PLACES, stack_run
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "release": {"type": "int", "default": 0},
    "prepare_only": {"type": "bool", "default": False},
    "lock_wait": {"type": "float", "default": 0},
    "operator": {"type": "str", "default": ""},
}


def run(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    stack = params["name"]
    store.path(stack)
    options = {"operator": params["operator"], "wait": params["lock_wait"], "places": PLACES}
    with stack_run(stack, "rollback", check=check, **options) as work:
        back = GoingBack(stack, params["release"], CommandRunner(), PLACES)
        result = back.prepare(check=check) if params["prepare_only"] else back.go(work, check=check)
    return {**result, "warnings": work.notes} if work.notes else result


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(
        module,
        lambda: run(module.params, check=module.check_mode),
        after_failure=lambda error: {"changed": getattr(error, "changed", False)},
    )


if __name__ == "__main__":
    main()
