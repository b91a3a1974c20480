# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells who runs a playbook."""

from __future__ import annotations

import getpass
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = r"""
name: operator
short_description: Tell who runs this playbook
version_added: 0.1.0
author: ComposeOps (@composeops)
description:
  - Returns the user of AWX who launched the job, the user of a CI system whose job it is, or else the user who is
    logged in on the controller, before sudo.
  - The roles and playbooks give it to the hosts, whose locks and audit logs name who did what.
"""

EXAMPLES = r"""
- name: Hold the shop
  composeops.stack.stack_lock:
    name: shop
    reason: incident 42
    operator: "{{ lookup('composeops.stack.operator') }}"
"""

RETURN = r"""
_raw:
  description: One name.
  type: list
  elements: str
"""

AWX = ("awx_user_name", "tower_user_name")
"""Variables that AWX gives to a job."""
ENVIRONMENT = ("GITLAB_USER_LOGIN", "GITHUB_ACTOR", "SUDO_USER", "USER", "LOGNAME")


def operator(variables: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return the first name that is known."""
    known = [variables.get(name) for name in AWX] + [environment.get(name) for name in ENVIRONMENT]
    return next((str(name) for name in known if name), "") or _login()


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container may run under a number that has no name.
        return f"uid {os.getuid()}"


class LookupModule(LookupBase):
    """The lookup ``composeops.stack.operator``."""

    def run(self, terms: Sequence[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        del terms, kwargs
        return [operator(variables or {}, os.environ)]
