# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The image that a server runs, remembered in a backup so that it is proven with the same one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

PULL_SECONDS = 1800


def origin(runner: Runner, image: str) -> dict[str, str]:
    """Return what a manifest says of ``image``: its id here, and the digest that another host can pull."""
    inspected = runner.run(["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image], check=False)
    digests = json.loads(inspected.stdout or "null") if inspected.ok else None
    return {"image": image, "image_digest": str(digests[0]) if digests else ""}


def name(described: Mapping[str, Any]) -> str:
    """Return what a manifest's origin calls the image, or nothing where it has none."""
    return str(described.get("image_digest") or described.get("image") or "")


def require(runner: Runner, described: Mapping[str, Any], timeout: float) -> str:
    """Return what to run the image of a manifest's origin by, pulled where this host does not have it any more."""
    image, digest = str(described.get("image") or ""), str(described.get("image_digest") or "")
    for candidate in (image, digest):
        if candidate and runner.run(["docker", "image", "inspect", candidate], check=False).ok:
            return candidate
    if digest:
        runner.run(["docker", "pull", "--quiet", digest], timeout=min(PULL_SECONDS, timeout))
        return digest
    raise ComposeOpsError(
        f"This host does not have the image {image or 'of the backup'} any more, and the backup names no digest to"
        " pull it by.",
        "Load the image, or verify a backup that was made by the image that runs now.",
    )
