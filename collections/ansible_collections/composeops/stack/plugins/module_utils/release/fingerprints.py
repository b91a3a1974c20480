# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names for what a deployment is made from and consists of; keyed, so that they tell nothing about a secret. Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.release.model import Service, StackRequest
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectFiles

RENDERING = 2
"""Raised whenever ``render`` gives something else for the same input, so that hosts notice after an upgrade."""


def of_inputs(key: bytes, request: StackRequest, secrets: Mapping[str, str]) -> str:
    """Return the fingerprint of everything that a rendering is made from."""
    material: list[Any] = [
        RENDERING,
        request.compose,
        [[file.path, hashlib.sha256(file.content).hexdigest(), file.executable] for file in request.files],
        sorted(request.environment.items()),
        [[name, secrets.get(name)] for name in sorted(request.secrets)],
        [asdict(route) for route in request.routed],
        [asdict(published) for published in request.published],
        sorted(request.overlapping),
        request.port_base,
    ]
    return _digest(key, material)


def of_release(key: bytes, files: ProjectFiles, coloured: Sequence[Service]) -> str:
    """Return the revision of a release: the fingerprint of what it consists of, whatever colour it runs in."""
    services = [[service.name, service.image, service.revision, service.replicas] for service in coloured]
    return _digest(key, [of_files(key, files), sorted(services)])[:16] if services else of_files(key, files)


def of_files(key: bytes, files: ProjectFiles) -> str:
    """Return the fingerprint of the files of a project."""
    material = [[path, hashlib.sha256(content).hexdigest(), mode] for path, (content, mode) in files.entries()]
    return _digest(key, sorted(material))[:16]


def _digest(key: bytes, material: Any) -> str:
    return hmac.new(key, json.dumps(material).encode(), hashlib.sha256).hexdigest()
