#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes the program Traefik out of its image."""

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_program
short_description: Install Traefik from its image
version_added: 0.1.0
description:
  - Pulls the image of Traefik as any other image of the host, through the same mirrors and with the same logins, and
    takes the one program out of it that it holds. The program then runs as a unit of the host, so that the edge
    outlives the engine and everything that is deployed.
  - The program is replaced in one step. What runs goes on until its unit is restarted.
options:
  image:
    description: The image. A digest behind the tag pins it, like V(traefik:v3.7@sha256:...).
    type: str
    required: true
  sha256:
    description: Checksum that the program has to have. Without one, the image is trusted as all images are.
    type: str
    default: ""
  path:
    description: Where the program is put.
    type: path
    default: /usr/local/bin/traefik
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Will return details on what has changed.
    support: full
seealso:
  - module: composeops.stack.traefik_sites
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Have Traefik
  composeops.stack.traefik_program:
    image: traefik:v3.7
"""

RETURN = r"""
sha256:
  description: Checksum of the program; empty in check mode before it is there.
  returned: success
  type: str
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["install /usr/local/bin/traefik from traefik:v3.7"]
"""

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.program import Program
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {
    "image": {"type": "str", "required": True},
    "sha256": {"type": "str", "default": ""},
    "path": {"type": "path", "default": "/usr/local/bin/traefik"},
}


def run(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    program = Program(CommandRunner(), params["path"])
    image, wanted = params["image"], params["sha256"].lower()
    before = program.installed()
    if before.image == image and before.intact and wanted in ("", before.sha256):
        return {"changed": False, "plan": [], "sha256": before.sha256}
    installed = "" if check else program.install(image, wanted)
    return {
        "changed": True,
        "plan": [f"install {params['path']} from {image}"],
        "sha256": installed,
        "diff": {"before": f"{before.image}\n" if before.image else "", "after": f"{image}\n"},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
