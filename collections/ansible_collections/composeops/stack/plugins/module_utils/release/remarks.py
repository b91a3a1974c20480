# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an operator should know of a compose file: where it is adjusted, and what is not what it seems; pure.

What it changes is no part of a container, so that no container is another one because of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.release.definitions import is_relative
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackRequest

_PROJECT_NAME = re.compile(r"^name:\s*[\"']?([^\"'\s#]+)", re.MULTILINE)
_NOT_FOLLOWED = ("always", "build", "never", "daily", "weekly")


def remarks(request: StackRequest, compose: Mapping[str, Any]) -> list[str]:
    """Return what is to be said of a canonical compose file, one sentence each."""
    said = _about_the_project(request)
    jobs = _jobs(compose)
    for name, definition in compose["services"].items():
        said += [f"{name}: {sentence}" for sentence in _about(request, definition)]
        if name in jobs:
            said.append(f"{name}: once it has ended well it is not run again until its definition or its image changes")
    return said


def finish(definition: dict[str, Any], services: Collection[str]) -> None:
    """Remove from a service what is decided already, or would be taken from whatever process starts it."""
    for key in ("develop", "profiles"):
        definition.pop(key, None)
    if definition.get("depends_on"):
        # An optional one in an inactive profile; compose refuses to hear of it a second time.
        definition["depends_on"] = {name: how for name, how in definition["depends_on"].items() if name in services}
    if definition.get("environment"):
        definition["environment"] = {
            name: value for name, value in definition["environment"].items() if value is not None
        }


def _about_the_project(request: StackRequest) -> list[str]:
    named = _PROJECT_NAME.search(request.compose)
    if not named or named.group(1) == request.name or "$" in named.group(1):
        return []
    return [
        f"{request.source} is named {named.group(1)}; networks and volumes are called after the stack, {request.name}"
    ]


def _about(request: StackRequest, definition: Mapping[str, Any]) -> Iterator[str]:
    image = str(definition.get("image") or "")
    if _is_floating(image):
        yield f"{image} is whatever has that name when it is pulled; name a version or a digest"
    policy = str(definition.get("pull_policy") or "").split("_")[0]
    if policy in _NOT_FOLLOWED and not (policy == "always" and request.pull == "always"):
        yield (
            f"pull_policy {definition['pull_policy']} is not followed; images are pulled as the stack's option pull"
            f" says: {request.pull}"
        )
    for variable, value in (definition.get("environment") or {}).items():
        if value is None:
            yield f"{variable} has no value in the stack and is not set"
    for volume in definition.get("volumes") or []:
        source = str(volume.get("source") or "")
        if volume.get("type") == "bind" and source.startswith("~") and not is_relative(source):
            yield f"{source} is in the home directory of root on the host"


def _is_floating(image: str) -> bool:
    if not image or "@" in image:
        return False
    name = image.rpartition("/")[2]
    return ":" not in name or name.endswith(":latest")


def _jobs(compose: Mapping[str, Any]) -> set[str]:
    """Return the services that others wait for to end."""
    return {
        other
        for definition in compose["services"].values()
        for other, dependency in (definition.get("depends_on") or {}).items()
        if dependency.get("condition") == "service_completed_successfully" and other in compose["services"]
    }
