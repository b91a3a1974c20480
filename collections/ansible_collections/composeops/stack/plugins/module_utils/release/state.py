# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is deployed of a stack on this host, recorded after its health gate passed.

Other domains read it: the edge takes the endpoints from here, checks and backups the project's name.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release import colours

DIRECTORY = "/var/lib/composeops/stacks"
SCHEMA = 1


@dataclass(frozen=True)
class Endpoint:
    """Where this host reaches a routed service: ``address:host_port`` leads to ``port`` in its container."""

    service: str
    port: int
    address: str
    host_port: int
    colour: str = ""
    """Where it runs in turn with another release; empty where it is replaced in place."""


@dataclass(frozen=True)
class StackState:
    """The record of the last deployment that passed its gate; no secrets in it."""

    stack: str
    project: str
    revision: str
    applied_at: str
    endpoints: tuple[Endpoint, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    """Service to the reference of its image."""
    images: Mapping[str, str] = field(default_factory=dict)
    """Service to the digest of its image, or its id where the image never was in a registry."""
    inputs: str = ""
    """Fingerprint of everything the deployment was made from."""
    files: tuple[str, ...] = ()
    """What the deployment wrote beside the compose file; nothing else there is ever removed."""
    stopped: bool = False
    """An operator stopped the stack deliberately."""
    release: int = 0
    """Number of the release; 0 before there were any."""
    colour: str = ""
    """Where its routed services run; empty where all are replaced in place."""
    base_files: str = ""
    """Fingerprint of the files of the base project."""
    colour_files: str = ""
    """Fingerprint of the files of that colour."""
    warm: str = ""
    """Where the release before is kept running, reached by nobody; empty where it is not."""
    warm_release: int = 0
    """Its number."""

    @property
    def warm_project(self) -> str:
        """The compose project of the release that is kept running; empty where none is."""
        return colours.project(self.stack, self.warm) if self.warm else ""


def directory(stack: str, root: str = DIRECTORY) -> str:
    """Return the directory of a stack on its host."""
    return os.path.join(root, stack)


def path(stack: str, root: str = DIRECTORY) -> str:
    """Return the file of a stack's record."""
    return os.path.join(directory(stack, root), "state.json")


def read_state(stack: str, root: str = DIRECTORY) -> StackState | None:
    """Return the record of ``stack``, or None where it was never deployed here."""
    location = path(stack, root)
    text = files.read_text(location)
    if text is None:
        return None
    try:
        return _parse(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComposeOpsError(
            f"{location} is not a stack record that this version reads: {error}.",
            "Move it away and deploy again; containers and volumes stay as they are.",
        ) from error


def deployed(root: str = DIRECTORY) -> list[str]:
    """Return the names of the stacks that were deployed on this host."""
    return sorted(os.path.basename(os.path.dirname(found)) for found in glob.glob(path("*", root)))


def endpoints(stack: str, service: str | None = None, root: str = DIRECTORY) -> list[Endpoint]:
    """Return where the routed services of ``stack`` are reached, or those of one service; empty before a deployment."""
    state = read_state(stack, root)
    found = state.endpoints if state else ()
    return [endpoint for endpoint in found if service is None or endpoint.service == service]


def warm_project(stack: str, root: str = DIRECTORY) -> str:
    """Return the compose project of a release that is kept running, reached by nobody; empty where there is none."""
    state = read_state(stack, root)
    return state.warm_project if state else ""


def write_state(state: StackState, root: str = DIRECTORY) -> None:
    """Record a deployment that passed its gate: the commit point of a release."""
    location = path(state.stack, root)
    files.write_atomically(location, serialise(state), mode=0o644, uid=os.geteuid(), gid=os.getegid())


def forget_state(stack: str, root: str = DIRECTORY) -> None:
    """Remove the record of a first deployment that did not stay well."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path(stack, root))


def serialise(state: StackState) -> bytes:
    """Return the file's content for ``state``."""
    return (json.dumps({"schema": SCHEMA, **asdict(state)}, indent=2, sort_keys=True) + "\n").encode()


def _parse(content: Any) -> StackState:
    if content["schema"] != SCHEMA:
        raise ValueError(f"schema {content['schema']}, not {SCHEMA}")
    return StackState(
        stack=content["stack"],
        project=content["project"],
        revision=content["revision"],
        applied_at=content["applied_at"],
        endpoints=tuple(Endpoint(**endpoint) for endpoint in content["endpoints"]),
        services=dict(content["services"]),
        images=dict(content["images"]),
        inputs=content["inputs"],
        files=tuple(content["files"]),
        stopped=bool(content["stopped"]),
        release=int(content.get("release", 0)),
        colour=content.get("colour", ""),
        base_files=content.get("base_files", content["revision"]),
        colour_files=content.get("colour_files", ""),
        warm=content.get("warm", ""),
        warm_release=int(content.get("warm_release", 0)),
    )
