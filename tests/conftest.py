"""What every test that needs a host of the test bed starts from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def bed_inventory() -> Path:
    """The bed's overlay inventory: the second ``-i`` after ``inventories/petcare``."""
    inventory = ROOT / os.environ.get("COMPOSEOPS_BED_INVENTORY", ".testbed/inventory")
    if not (inventory / "hosts.yml").exists():
        pytest.fail(f"{inventory}/hosts.yml is not there: start the test bed with `make bed`, or name its inventory")
    return inventory
