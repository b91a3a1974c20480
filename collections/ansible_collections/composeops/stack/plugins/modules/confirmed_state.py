#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files and units that decide how a host is reached, changed so that nobody is locked out."""

from __future__ import annotations

DOCUMENTATION = r"""
module: confirmed_state
short_description: Change sshd or the firewall of a host without being locked out
version_added: 0.1.0
description:
  - Brings files and units to the wanted state as M(composeops.stack.host_state) does, for those that decide how the
    host is reached.
  - Where that changed anything, the controller connects to the host anew, past every connection that is open, and the
    change is kept only when that succeeds. Otherwise what was there before is put back over the connection that is
    still open, and the task fails with what the new connection failed at.
  - A timer of systemd, set before the first change, puts it back as well, O(within) so many seconds. So does the next
    boot, and the next run. A run that is killed, or whose controller loses its network, leaves nothing behind.
  - What connects as Ansible does not use ssh, such as a local connection, proves nothing about ssh. The change is kept
    then, with a warning.
  - One call at a time changes a host. Both need the on-host program of M(composeops.stack.program) and the unit
    C(composeops-unconfirmed.service), which the role C(baseline) installs.
options:
  files:
    description: Files, as those of M(composeops.stack.host_state). Give one of template, source and content.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. Its directory exists.
        type: str
        required: true
      template:
        description: Template on the controller, looked for as M(ansible.builtin.template) does.
        type: str
      source:
        description: File on the controller, looked for as M(ansible.builtin.copy) does.
        type: str
      content:
        description: The text itself.
        type: str
      content_base64:
        description: The content itself where it is no text.
        type: str
      state:
        description: Whether the file exists.
        type: str
        choices: [present, absent]
        default: present
      mode:
        description: Four octal digits, quoted.
        type: str
        default: "0644"
      owner:
        description: Name or number of the owner.
        type: str
        default: root
      group:
        description: Name or number of the group.
        type: str
        default: root
      validate:
        description: Command that has to accept the new content before it replaces the old, with C(%s) for its name.
        type: list
        elements: str
        default: []
  units:
    description: Units of systemd, as those of M(composeops.stack.host_state).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name with its suffix, for example V(ssh.service).
        type: str
        required: true
      enabled:
        description: Whether the unit starts at boot.
        type: bool
      state:
        description: Whether the unit runs.
        type: str
        choices: [started, stopped]
      restart_on:
        description: Restart the unit when one of these paths was changed by this call.
        type: list
        elements: str
        default: []
      reload_on:
        description: The same with a reload.
        type: list
        elements: str
        default: []
  within:
    description: Seconds in which the new connection has to confirm the change.
    type: int
    default: 60
  step:
    description:
      - What this call does. The controller makes the second and the third call by itself; leave it out.
    type: str
    choices: [apply, confirm, undo]
    default: apply
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns every difference, file contents included.
    support: full
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Let sshd take no passwords
  composeops.stack.confirmed_state:
    files:
      - path: /etc/ssh/sshd_config.d/10-passwords.conf
        content: |
          PasswordAuthentication no
        validate: [sshd, -t, -f, "%s"]
    units:
      - name: ssh.service
        restart_on: [/etc/ssh/sshd_config.d]
"""

RETURN = r"""
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["change /etc/ssh/sshd_config.d/10-composeops.conf", "restart ssh.service"]
changed_paths:
  description: Files that are changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssh/sshd_config.d/10-composeops.conf]
confirmed:
  description: Whether a new connection confirmed the change.
  returned: when something was changed
  type: bool
  sample: true
undone:
  description: What was put back, one sentence each.
  returned: when the change was not confirmed
  type: list
  elements: str
  sample: ["change /etc/ssh/sshd_config.d/10-composeops.conf", "restart ssh.service"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.host.model import HostState
from ansible_collections.composeops.stack.plugins.module_utils.host.observe import observe
from ansible_collections.composeops.stack.plugins.module_utils.host.plan import make_plan
from ansible_collections.composeops.stack.plugins.module_utils.host.request import parse
from ansible_collections.composeops.stack.plugins.module_utils.host.result import result_of, sentences
from ansible_collections.composeops.stack.plugins.module_utils.host.unconfirmed import Unconfirmed
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

WORDS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
NAME: dict[str, Any] = {"type": "str", "required": True}
TEXT: dict[str, Any] = {"type": "str"}
ROOT: dict[str, Any] = {"type": "str", "default": "root"}

ARGUMENT_SPEC: dict[str, Any] = {
    "files": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": NAME,
            "template": TEXT,
            "source": TEXT,
            "content": TEXT,
            "content_base64": TEXT,
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "mode": {"type": "str", "default": "0644"},
            "owner": ROOT,
            "group": ROOT,
            "validate": WORDS,
        },
    },
    "units": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": NAME,
            "enabled": {"type": "bool"},
            "state": {"type": "str", "choices": ["started", "stopped"]},
            "restart_on": WORDS,
            "reload_on": WORDS,
        },
    },
    "within": {"type": "int", "default": 60},
    "step": {"type": "str", "choices": ["apply", "confirm", "undo"], "default": "apply"},
}

# What host_state knows and this module does not.
ELSEWHERE: dict[str, Any] = {
    **{option: [] for option in ("packages", "absent_packages", "groups", "users", "directories", "links")},
    "hostname": None,
    "sysctl": None,
    "sysctl_file": "/etc/sysctl.d/90-composeops.conf",
}
IN_FILES: dict[str, Any] = {"tree": None, "sensitive": False}


def wanted(params: dict[str, Any]) -> HostState:
    files = [{**entry, **IN_FILES} for entry in params["files"]]
    return parse({**ELSEWHERE, "files": files, "units": params["units"]})


def apply(params: dict[str, Any], unconfirmed: Unconfirmed, systemd: Systemd, *, check: bool) -> dict[str, Any]:
    """Make the change, or foresee it in check mode."""
    state = wanted(params)
    if check:
        # Their packages and unit files belong to another call, which made nothing either.
        return result_of(make_plan(state, observe(state, systemd), units_may_appear=True).changes)
    return result_of(unconfirmed.apply(state, params["within"]))


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    runner = CommandRunner()
    systemd = Systemd(runner)
    unconfirmed = Unconfirmed(runner, systemd)
    if params["step"] == "confirm":
        unconfirmed.confirm()
        return {"changed": True, "confirmed": True}
    if params["step"] == "undo":
        undone = unconfirmed.undo()
        return {"changed": bool(undone), "undone": sentences(undone)}
    return apply(params, unconfirmed, systemd, check=check)


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
