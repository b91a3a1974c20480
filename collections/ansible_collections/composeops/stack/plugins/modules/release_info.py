#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports the releases of a stack that are kept on its host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
short_description: Report the releases of a stack
version_added: 0.1.0
description:
  - Returns the releases that the host keeps, the newest first, with their images, digests, durations and what became of
    each.
  - A stack that was never deployed has none, which is no failure.
options:
  name:
    description: Name of the stack.
    type: str
    required: true
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: full
seealso:
  - module: composeops.stack.rollback
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: See what was released
  composeops.stack.release_info:
    name: shop
"""

RETURN = r"""
active:
  description: Number of the active release; 0 before the first one.
  returned: success
  type: int
  sample: 7
colour:
  description: Where the routed services of the active release run; empty where all are replaced in place.
  returned: success
  type: str
  sample: green
warm:
  description: Number of the release that is kept running to go back to; 0 where none is.
  returned: success
  type: int
  sample: 6
releases:
  description: The releases, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: Its number.
      type: int
      returned: success
    created_at:
      description: When its deployment began.
      type: str
      returned: success
    status:
      description:
        - V(active) serves. V(superseded) served until another one took over.
        - V(withdrawn) served and was gone back from.
        - V(failed) and V(abandoned) never took over for good; V(abandoned) is one whose run was killed.
      type: str
      returned: success
    revision:
      description: Fingerprint of what it consists of.
      type: str
      returned: success
    colour:
      description: Where its routed services ran.
      type: str
      returned: success
    images:
      description: Service to the reference of its image.
      type: dict
      returned: success
    digests:
      description: Service to the digest of its image.
      type: dict
      returned: success
    identifiers:
      description: Reference of an image to its id on the host.
      type: dict
      returned: success
    reason:
      description: Why it failed or was withdrawn, or which release it repeats.
      type: str
      returned: success
    seconds:
      description: How long each of its steps took.
      type: dict
      returned: success
    canary:
      description: What each step of its canary came to, in requests, failed ones and seconds, beside the one before.
      type: list
      elements: dict
      returned: success
  sample:
    - {number: 7, created_at: "2026-05-01T12:00:00+00:00", status: active, revision: 5f2b8c0de1a94b73, colour: green,
       images: {web: "shop/web:1.1.0"}, digests: {web: "sha256:1f2e"}, identifiers: {"shop/web:1.1.0": "sha256:60c9"},
       reason: "", seconds: {start: 4.2, switch: 0.0}, canary: []}
summary:
  description: Table for the end of the play.
  returned: success
  type: list
  elements: dict
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.release import report, state
from ansible_collections.composeops.stack.plugins.module_utils.release.history import History
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {"name": {"type": "str", "required": True}}


def run(params: Mapping[str, Any], root: str = state.DIRECTORY) -> dict[str, Any]:
    stack = params["name"]
    store.path(stack)
    record = state.read_state(stack, root)
    releases = History(stack, root).settled(record.release if record else 0)
    return {
        "changed": False,
        "active": record.release if record else 0,
        "colour": record.colour if record else "",
        "warm": record.warm_release if record else 0,
        "releases": [asdict(release) for release in releases],
        "summary": [report.releases_summary(stack, releases, record)],
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params))


if __name__ == "__main__":
    main()
