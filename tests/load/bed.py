"""Which host of the test bed is loaded. There is no way to name any other address."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from pathlib import Path

import yaml


class NotABedHost(Exception):
    """The inventory does not lead to a host of a test bed."""


@dataclass(frozen=True)
class Edge:
    """Where a host's edge answers, and the authority that signed its certificates."""

    address: str
    ca: str
    port: int = 443


def edge(inventory: Path) -> Edge:
    """Read the overlay inventory that a bed wrote (``.testbed/inventory`` and its siblings)."""
    try:
        state = json.loads((inventory.parent / "state.json").read_text(encoding="utf-8"))
        hosts = yaml.safe_load((inventory / "hosts.yml").read_text(encoding="utf-8"))
        variables = yaml.safe_load((inventory / "group_vars/all.yml").read_text(encoding="utf-8"))
        network = ipaddress.ip_network(state["network"]["subnet"])
        (host,) = hosts["all"]["children"]["composeops"]["hosts"].values()
        address = ipaddress.ip_address(host["ansible_host"])
        ca = variables["verify_ca"]
    except (OSError, KeyError, ValueError) as error:
        raise NotABedHost(f"{inventory} is not an inventory of a running test bed: {error!r}") from error
    if address not in network:
        raise NotABedHost(f"{address} is not in the test bed's network {network}: only its own hosts are loaded")
    return Edge(str(address), ca)
