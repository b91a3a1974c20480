#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of an action plugin; nothing of it runs on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: arguments
short_description: Refuse variables on the command line that nothing reads
version_added: 0.1.0
description:
  - Ansible ignores a misspelt C(-e) without a word, and the playbook then does something else than was meant.
    This fails instead, names the variable, and suggests the one that was probably meant.
  - A variable is read by something when it is one of the playbook's arguments, a variable of a role, or a variable of
    the inventory. What Ansible and AWX add themselves is left alone.
  - Runs on the controller and contacts no host.
options:
  known:
    description: Names of the arguments that the playbook takes.
    type: list
    elements: str
    default: []
  required:
    description: Names of the arguments that the playbook cannot do without.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Will return details on what has changed.
    support: none
    details: Nothing is ever changed.
  action:
    description: Runs on the controller alone.
    support: full
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Refuse misspelt arguments
  composeops.stack.arguments:
    known: [service, lines]

- name: Ask for what to restore
  composeops.stack.arguments:
    required: [source]
    known: [backup]
"""

RETURN = r"""
msg:
  description: Which variables nothing reads, what was probably meant, and what is missing.
  returned: on failure
  type: str
  sample: "-e servise is given, but nothing reads it. Did you mean service? This playbook takes: lines, service."
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

ARGUMENT_SPEC: dict[str, Any] = {
    "known": {"type": "list", "elements": "str", "default": []},
    "required": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    module.fail_json(msg="composeops.stack.arguments runs on the controller: call it from a playbook.")


if __name__ == "__main__":
    main()
