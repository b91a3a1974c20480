"""Fixtures of the tests of releases under load; the host is the one of COMPOSEOPS_BED_INVENTORY."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.petcare import Petcare
from tests.faults.registry import Registry
from tests.integration.bed_host import BedHost


@pytest.fixture(scope="session")
def petcare(bed_inventory: Path) -> Iterator[Petcare]:
    """The pet-care system, serving its old version from the bed's host."""
    with tempfile.TemporaryDirectory(prefix="composeops-") as directory:
        system = Petcare(BedHost(bed_inventory, Path(directory)))
        system.set_up()
        yield system


@pytest.fixture(scope="session")
def registry(petcare: Petcare) -> Iterator[Registry]:
    """The bed's registry; what a test publishes there is gone afterwards."""
    bed = Registry(petcare.registry)
    yield bed
    bed.tidy_up()
