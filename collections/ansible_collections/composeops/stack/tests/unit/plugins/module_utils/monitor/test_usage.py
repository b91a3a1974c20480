"""How much of CPU, memory and disks is in use."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Thresholds
from ansible_collections.composeops.stack.plugins.module_utils.monitor.usage import Usage


def test_what_has_a_threshold_is_measured() -> None:
    sample = Usage(Thresholds(disks=("/", "/no/such/disk"))).sample()
    assert list(sample) == ["cpu", "memory", "disk /"]
    assert all(0 <= percent <= 100 for percent in sample.values())
    assert sample["memory"] > 0


@pytest.mark.parametrize(
    ("thresholds", "names"),
    [
        (Thresholds(cpu=0), ["memory", "disk /"]),
        (Thresholds(memory=0, disk=0), ["cpu"]),
        (Thresholds(cpu=0, memory=0, disk=0), []),
    ],
)
def test_what_has_none_is_not(thresholds: Thresholds, names: list[str]) -> None:
    assert list(Usage(thresholds).sample()) == names


def test_library_is_needed_only_for_thresholds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert Usage(Thresholds(cpu=0, memory=0, disk=0)).sample() == {}
    with pytest.raises(ComposeOpsError, match="Install python3-psutil"):
        Usage(Thresholds())
