"""What a host of the bed plays: the first host of a system's inventory, under the public names of its sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from testbed.errors import BedError
from testbed.state import REPOSITORY

INVENTORIES = REPOSITORY / "inventories"
DEFAULT = "petcare"


def host_name(system: str) -> str:
    """The name of the host in the system's inventory: every host of the bed can play it."""
    hosts = _read(_directory(system) / "hosts.yml").get("composeops", {}).get("hosts") or {}
    if not hosts:
        raise BedError(f"inventories/{system}/hosts.yml has no host in the group composeops.", "Name one there.")
    return str(next(iter(hosts)))


def public_names(system: str) -> list[str]:
    """The names of the system's sites, where its inventory says them plainly."""
    found: list[str] = []
    for file in sorted((_directory(system) / "group_vars" / "all").glob("*.yml")):
        sites = _read(file).get("edge_sites")
        for site in sites if isinstance(sites, list) else ():
            found += [str(site["name"]), *map(str, site.get("aliases") or ())]
        # Where sites come from the labels of a compose file, the names in them come from here.
        found += [str(value) for name, value in _read(file).items() if str(name).endswith("_domain")]
    if not found:
        raise BedError(
            f"No site is named in inventories/{system}/group_vars/all/.", "Give the host its names with --alias."
        )
    return found


def _directory(system: str) -> Path:
    directory = INVENTORIES / system
    if not (directory / "hosts.yml").is_file():
        known = ", ".join(sorted(path.parent.name for path in INVENTORIES.glob("*/hosts.yml")))
        raise BedError(
            f"There is no system {system!r}.", f"Its inventory would be inventories/{system}; there are {known}."
        )
    return directory


def _read(path: Path) -> dict[str, Any]:
    """A file of variables; vaulted ones and tags of Ansible's are none of the bed's business."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}  # noqa: S506 (a safe loader)


class _Loader(yaml.SafeLoader):
    """Takes tags such as !vault for plain text."""


_Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))
