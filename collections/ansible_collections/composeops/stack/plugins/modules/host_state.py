#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Brings packages, accounts, files, kernel parameters and units of a host to a wanted state, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_state
short_description: Packages, accounts, files, kernel parameters and units of a host in one call
version_added: 0.1.0
description:
  - Brings everything that is listed to the wanted state, in one round trip. What is not listed is left alone.
  - The order is fixed. Packages, groups, users, host name, directories, files, links, kernel parameters, then units.
    The first failure ends the call and names the one resource; the next run carries on from there.
  - Templates are rendered on the controller. All contents travel as one payload that is neither logged nor returned.
  - A unit that has to be restarted or reloaded because of a changed path is recorded on the host before anything
    changes, so that a run killed in between is made good by the next one.
  - A daemon that a package brings, and that is listed under O(units) with a O(units[].state), does not start with the
    package but afterwards, with its wanted configuration.
options:
  packages:
    description:
      - Debian packages to install, without those they merely recommend. Installed ones are not upgraded.
      - Package lists are fetched when they are older than an hour or prove to be stale.
    type: list
    elements: str
    default: []
  absent_packages:
    description: Debian packages to remove, keeping their configuration. Refused when others would have to go as well.
    type: list
    elements: str
    default: []
  groups:
    description: Groups.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group.
        type: str
        required: true
      state:
        description: Whether the group exists.
        type: str
        choices: [present, absent]
        default: present
      gid:
        description: Number of the group. By default as it is, or the next free one.
        type: int
      system:
        description: Whether a new group gets a number from the range for system groups.
        type: bool
        default: false
  users:
    description:
      - Accounts. They have no password, so only keys let them in.
      - The account that this run is connected as is never removed, kept from logging in, taken out of the
        administrators' group or stripped of every key it has.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the account.
        type: str
        required: true
      state:
        description: Whether the account exists. Its home directory is kept in either case.
        type: str
        choices: [present, absent]
        default: present
      uid:
        description: Number of the account. By default as it is, or the next free one.
        type: int
      group:
        description: Name of the primary group. By default as it is, or a group with the name of the account.
        type: str
      groups:
        description: Other groups the account belongs to.
        type: list
        elements: str
        default: []
      exclusive_groups:
        description: Whether the account leaves all groups that are not listed in O(users[].groups).
        type: bool
        default: false
      shell:
        description: Login shell. By default as it is, or the default of the host.
        type: str
      home:
        description: Home directory. A changed one is not moved. By default as it is, or below C(/home).
        type: str
      comment:
        description: Full name or purpose.
        type: str
      system:
        description: Whether a new account gets a number from the range for system accounts, and no home directory.
        type: bool
        default: false
      authorized_keys:
        description: Public keys that may log in; each entry is one line, or a whole file of them.
        type: list
        elements: str
      exclusive_keys:
        description: Whether every other key is removed from the account.
        type: bool
        default: false
  hostname:
    description: Name of the host. By default as it is.
    type: str
  directories:
    description: Directories, made before files; missing parents are made as well, with mode 0755.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: str
        required: true
      state:
        description: V(absent) removes the directory with everything in it.
        type: str
        choices: [present, absent]
        default: present
      mode:
        description: Four octal digits, quoted.
        type: str
        default: "0755"
      owner:
        description: Name or number of the owner.
        type: str
        default: root
      group:
        description: Name or number of the group.
        type: str
        default: root
  files:
    description:
      - Files, replaced in one step, so that nobody ever reads a part of one. A symbolic link is followed and stays.
      - Give one of O(files[].template), O(files[].source), O(files[].tree), O(files[].content) and
        O(files[].content_base64).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path. Its directory exists or is listed under O(directories).
        type: str
        required: true
      template:
        description: Template on the controller, looked for as M(ansible.builtin.template) does.
        type: str
      source:
        description: File on the controller, text or binary, looked for as M(ansible.builtin.copy) does.
        type: str
      tree:
        description:
          - Directory on the controller, below C(templates) or C(files) of the role. Everything in it is put below
            O(files[].path), with directories of its own as needed.
          - Files that end in C(.j2) are rendered and lose the ending; all others are copied as they are.
          - An executable file stays executable. O(files[].mode) is then for the other ones.
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
      sensitive:
        description: Whether the content is secret, so that the diff does not show it.
        type: bool
        default: false
      validate:
        description:
          - Command that has to accept the new content before it replaces the old, as a list of words in which C(%s) is
            the name of the candidate, a hidden file in the same directory.
          - Check mode does not run it, because what the file refers to may be part of the same call.
        type: list
        elements: str
        default: []
  links:
    description: Symbolic links.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path of the link.
        type: str
        required: true
      target:
        description: Where it leads.
        type: str
      state:
        description: Whether the link exists.
        type: str
        choices: [present, absent]
        default: present
  sysctl:
    description:
      - Kernel parameters and their values, set at once and written to O(sysctl_file), which holds nothing else.
      - An empty one removes the file. Values that are live stay so until the next boot.
    type: dict
  sysctl_file:
    description: The file that sets O(sysctl) at boot. Callers that set different parameters use different files.
    type: str
    default: /etc/sysctl.d/90-composeops.conf
  units:
    description: Units of systemd. What is not given is left as it is.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name with its suffix, for example V(nginx.service).
        type: str
        required: true
      enabled:
        description: Whether the unit starts at boot.
        type: bool
      state:
        description:
          - Whether the unit runs. One of C(Type=oneshot) needs C(RemainAfterExit=yes) to count as running.
          - A unit that its own conditions keep from starting here, such as one that does not run in containers, is
            left at that.
        type: str
        choices: [started, stopped]
      restart_on:
        description: Restart the unit when one of these paths, or anything below one, was changed by this call.
        type: list
        elements: str
        default: []
      reload_on:
        description: The same with a reload, or a restart where the unit cannot reload.
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns every difference, file contents included unless they are sensitive.
    support: full
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Install nginx with its configuration
  composeops.stack.host_state:
    packages: [nginx]
    directories:
      - path: /etc/nginx/sites
    files:
      - path: /etc/nginx/nginx.conf
        template: nginx.conf.j2
        validate: [nginx, -t, -c, "%s"]
      - path: /etc/nginx/sites-enabled/default
        state: absent
    units:
      - name: nginx.service
        enabled: true
        state: started
        reload_on: [/etc/nginx]

- name: Let the operators in
  composeops.stack.host_state:
    users:
      - name: ana
        groups: [sudo]
        shell: /bin/bash
        authorized_keys: ["{{ lookup('ansible.builtin.file', 'keys/ana.pub') }}"]
    sysctl:
      net.core.somaxconn: 4096
"""

RETURN = r"""
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["install nginx", "create /etc/nginx/nginx.conf", "start nginx.service"]
changed_paths:
  description: Directories, files and links that are changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/nginx/nginx.conf]
done:
  description: What was done before the failure.
  returned: failure, when something was done
  type: list
  elements: str
  sample: ["install nginx"]
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.host.apply import Applier
from ansible_collections.composeops.stack.plugins.module_utils.host.observe import observe
from ansible_collections.composeops.stack.plugins.module_utils.host.plan import make_plan
from ansible_collections.composeops.stack.plugins.module_utils.host.request import parse
from ansible_collections.composeops.stack.plugins.module_utils.host.result import result_of, sentences
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

LOCK = "/run/lock/composeops-host.lock"
LOCK_WAIT = 60.0


def _entries(**options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


WORDS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
NAME: dict[str, Any] = {"type": "str", "required": True}
STATE: dict[str, Any] = {"type": "str", "choices": ["present", "absent"], "default": "present"}
TEXT: dict[str, Any] = {"type": "str"}
NUMBER: dict[str, Any] = {"type": "int"}
SWITCH: dict[str, Any] = {"type": "bool", "default": False}
ROOT: dict[str, Any] = {"type": "str", "default": "root"}

ARGUMENT_SPEC: dict[str, Any] = {
    "packages": WORDS,
    "absent_packages": WORDS,
    "groups": _entries(name=NAME, state=STATE, gid=NUMBER, system=SWITCH),
    "users": _entries(
        name=NAME,
        state=STATE,
        uid=NUMBER,
        group=TEXT,
        groups=WORDS,
        exclusive_groups=SWITCH,
        shell=TEXT,
        home=TEXT,
        comment=TEXT,
        system=SWITCH,
        # These are public keys, whatever their name suggests.
        authorized_keys={"type": "list", "elements": "str", "no_log": False},
        exclusive_keys={**SWITCH, "no_log": False},
    ),
    "hostname": TEXT,
    "directories": _entries(path=NAME, state=STATE, mode={"type": "str", "default": "0755"}, owner=ROOT, group=ROOT),
    # Contents can be secrets: this keeps them out of the host's log of module calls.
    "files": {
        **_entries(
            path=NAME,
            template=TEXT,
            source=TEXT,
            tree=TEXT,
            content=TEXT,
            content_base64=TEXT,
            state=STATE,
            mode={"type": "str", "default": "0644"},
            owner=ROOT,
            group=ROOT,
            sensitive=SWITCH,
            validate=WORDS,
        ),
        "no_log": True,
    },
    "links": _entries(path=NAME, target=TEXT, state=STATE),
    "sysctl": {"type": "dict"},
    "sysctl_file": {"type": "str", "default": "/etc/sysctl.d/90-composeops.conf"},
    "units": _entries(
        name=NAME,
        enabled={"type": "bool"},
        state={"type": "str", "choices": ["started", "stopped"]},
        restart_on=WORDS,
        reload_on=WORDS,
    ),
}


class SilentModule(AnsibleModule):
    """A module that never echoes its parameters: file contents can be secrets, and are large."""

    def __init__(self) -> None:
        super().__init__(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
        # Nothing that is returned comes from a parameter unseen; replacing every path in it would only hide the plan.
        self.no_log_values: set[str] = set()

    def exit_json(self, **results: Any) -> None:
        super().exit_json(**results, invocation=SILENCE)

    def fail_json(self, msg: str, **results: Any) -> None:
        super().fail_json(msg, **results, invocation=SILENCE)


SILENCE = {"module_args": "not shown"}


def run(params: dict[str, Any], applier: Applier, systemd: Systemd, *, check: bool) -> dict[str, Any]:
    wanted = parse(params)
    found = observe(wanted, systemd)
    plan = make_plan(wanted, found)
    changes = plan.changes
    if changes and not check:
        with exclusive(LOCK, "host_state", wait=LOCK_WAIT):
            changes = applier.apply(wanted, found, plan)
    return result_of(changes)


def made_by(applier: Applier) -> dict[str, Any]:
    """Return what an error left, as a module that failed returns it."""
    return {"changed": bool(applier.made), **({"done": sentences(applier.made)} if applier.made else {})}


def main() -> None:
    module = SilentModule()
    # Parents of directories are made with the process's mask.
    os.umask(0o022)
    runner = CommandRunner()
    systemd = Systemd(runner)
    applier = Applier(runner, systemd)
    exit_with(
        module,
        lambda: run(module.params, applier, systemd, check=module.check_mode),
        after_failure=lambda _error: made_by(applier),
    )


if __name__ == "__main__":
    main()
