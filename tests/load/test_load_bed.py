"""The load reaches the test bed's own hosts and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.load import bed
from tests.load.process import Load, LoadError


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An overlay inventory as a bed writes it."""
    (tmp_path / "state.json").write_text(json.dumps({"network": {"subnet": "10.213.7.0/24"}}), encoding="utf-8")
    directory = tmp_path / "inventory"
    (directory / "group_vars").mkdir(parents=True)
    (directory / "group_vars/all.yml").write_text("verify_ca: the CA\n", encoding="utf-8")
    write_host(directory, {"ansible_host": "10.213.7.20"})
    return directory


def write_host(inventory: Path, variables: dict[str, Any]) -> None:
    hosts = {"all": {"children": {"composeops": {"hosts": {"petcare1": variables}}}}}
    (inventory / "hosts.yml").write_text(yaml.safe_dump(hosts), encoding="utf-8")


def test_the_address_and_authority_of_a_bed_host(inventory: Path) -> None:
    assert bed.edge(inventory) == bed.Edge("10.213.7.20", "the CA")


@pytest.mark.parametrize("address", ["203.0.113.5", "10.213.8.20", "127.0.0.1"])
def test_an_address_outside_of_the_bed_is_refused(inventory: Path, address: str) -> None:
    write_host(inventory, {"ansible_host": address})
    with pytest.raises(bed.NotABedHost, match="only its own hosts are loaded"):
        bed.edge(inventory)


@pytest.mark.parametrize("name", ["app.petcare.com", "", "petcare1"])
def test_a_name_is_refused(inventory: Path, name: str) -> None:
    write_host(inventory, {"ansible_host": name})
    with pytest.raises(bed.NotABedHost):
        bed.edge(inventory)


def test_an_inventory_beside_no_bed_is_refused(inventory: Path) -> None:
    (inventory.parent / "state.json").unlink()
    with pytest.raises(bed.NotABedHost, match="not an inventory of a running test bed"):
        bed.edge(inventory)


def test_a_load_that_cannot_begin_says_why(inventory: Path) -> None:
    write_host(inventory, {"ansible_host": "203.0.113.5"})
    load = Load(inventory)
    with pytest.raises(LoadError, match=r"203\.0\.113\.5 is not in the test bed's network"), load:
        pytest.fail("it began")
