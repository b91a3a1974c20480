"""Releases of the pet-care system that differ from its inventory in what a test wants to see. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

OLD, NEW = "1.0.0", "1.1.0"

ROLLOUT: Mapping[str, Any] = {
    "strategy": "blue_green",
    "watch": 2,
    # The load always has answers under way that take five seconds.
    "drain": 8,
}
"""As short as the load allows, so that many releases fit into one test."""


@dataclass(frozen=True)
class Variant:
    """One release of the system: what is different from what its inventory says."""

    version: str = OLD
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Laid over the services of the compose file: mappings are merged, anything else replaces."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Laid over the stack's definition in the same way."""


def compose(text: str, variant: Variant) -> str:
    """Return the system's compose file with what is different in ``variant``."""
    content = yaml.safe_load(text)
    unknown = set(variant.services) - set(content["services"])
    assert not unknown, f"the system has no {', '.join(sorted(unknown))}"
    content["services"] = merged(content["services"], variant.services)
    # Every anchor has been resolved.
    return yaml.safe_dump({key: value for key, value in content.items() if not key.startswith("x-")}, sort_keys=False)


def definitions(variables: Mapping[str, Any], variant: Variant) -> list[dict[str, Any]]:
    """Return ``stack_definitions`` of the inventory's ``variables`` with what is different in ``variant``."""
    (definition,) = variables["stack_definitions"]
    return [merged(merged(definition, {"rollout": ROLLOUT}), variant.options)]


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``below`` with ``above`` laid over it; neither is changed."""
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else copy.deepcopy(value)
    return result


def backend(version: str = NEW, *, options: Mapping[str, Any] | None = None, **environment: str) -> Variant:
    """Return a release whose backend has further variables in its environment."""
    return Variant(version, {"backend": {"environment": environment}} if environment else {}, options or {})


def with_image(image: str, **options: Any) -> Variant:
    """Return a release of the new version with another image of the backend."""
    return Variant(NEW, {"backend": {"image": image}}, options)
