"""Fixtures of the whole-system tests: the host from inside, the world from outside, and the playbooks of an operator.

Tests are named after the requirement that they show (docs/systems.md). They run in the order of their files: those that
only look come first, those that destroy come last and leave the system as they found it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

from tests.integration.bed_host import ROOT, BedHost
from tests.support.outside import Outside

BED = ROOT / os.environ.get("COMPOSEOPS_TESTBED_DIR", ".testbed")
NAME = os.environ.get("COMPOSEOPS_BED_HOST", "petcare1")
INVENTORY = ROOT / os.environ.get("COMPOSEOPS_BED_INVENTORY", ".testbed/inventory")


@pytest.fixture(scope="session")
def host() -> Any:
    """The host, as root, through ssh."""
    return testinfra.get_host(f"ssh://{NAME}", ssh_config=str(BED / "ssh/config"), sudo=True)


@pytest.fixture(scope="session")
def operator() -> Iterator[BedHost]:
    """Who runs playbooks and commands against the host."""
    with tempfile.TemporaryDirectory(prefix="composeops-") as directory:
        yield BedHost(INVENTORY, Path(directory))


@pytest.fixture(scope="session")
def overlay() -> dict[str, Any]:
    """The variables in which the bed differs from production."""
    content: dict[str, Any] = yaml.safe_load((INVENTORY / "group_vars/all.yml").read_text(encoding="utf-8"))
    return content


@pytest.fixture(scope="session")
def outside(operator: BedHost, overlay: dict[str, Any]) -> Outside:
    """A client elsewhere, which reaches the host's address and trusts the bed's certificate authority."""
    return Outside(operator.address, overlay["verify_ca"])


@pytest.fixture(scope="session")
def authority(overlay: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the bed's authority, for those who want a file."""
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    path.write_text(overlay["verify_ca"])
    return path
