"""Fixtures of the integration tests: real modules against a real host of the test bed.

The host is the one of the inventory directory in COMPOSEOPS_BED_INVENTORY (default: .testbed/inventory), so several
people or jobs can test side by side, each on its own host. Tests that use it carry ``pytest.mark.bed``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.bed_host import BedHost


@pytest.fixture(scope="session")
def host(bed_inventory: Path) -> Iterator[BedHost]:
    """The bed's host, for the whole session: one ssh connection serves every command.

    Its directory has a short name of its own: ssh puts its control socket there, whose path is limited to 108 bytes.
    """
    with tempfile.TemporaryDirectory(prefix="composeops-") as directory:
        yield BedHost(bed_inventory, Path(directory))
