#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Installs the on-host program; the work is done by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: program
short_description: Install the program composeops on a host
version_added: 0.1.0
description:
  - Builds the program from the collection on the controller, and installs it as one executable file. The same
    collection gives the same bytes, so a second run changes nothing.
  - The program is what timers and hooks of the host run, and what an operator uses when Ansible is not at hand.
    C(composeops --help) shows its commands.
  - It runs with C(/usr/bin/python3) of the host, and needs nothing but Python's standard library and the Debian
    packages that the roles install.
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns size and digest of the program before and after.
    support: full
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Install the program that timers and hooks run
  composeops.stack.program:
"""

RETURN = r"""
path:
  description: Where the program is.
  returned: always
  type: str
  sample: /usr/local/bin/composeops
version:
  description: Its version, which is that of the collection.
  returned: always
  type: str
  sample: 0.1.0
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["create /usr/local/lib/composeops/composeops.pyz"]
changed_paths:
  description: Directories, files and links that are changed.
  returned: success
  type: list
  elements: str
  sample: [/usr/local/lib/composeops/composeops.pyz]
"""

from typing import Any

ARGUMENT_SPEC: dict[str, Any] = {}
