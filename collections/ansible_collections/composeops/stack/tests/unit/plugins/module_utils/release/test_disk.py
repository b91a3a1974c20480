# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import disk


def fail(number: int) -> None:
    with disk.writing("shop"):
        raise OSError(number, "reason", "/var/lib/x")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "Make room on this host"), (errno.EROFS, "Correct the permissions or the file system")],
    ids=["full", "read-only"],
)
def test_what_cannot_be_written_is_told(number: int, remedy: str) -> None:
    with pytest.raises(ComposeOpsError, match="a file could not be written: reason") as raised:
        fail(number)
    assert "/var/lib/x" in str(raised.value)
    assert remedy in raised.value.remedy


@pytest.mark.parametrize(
    ("said", "full"),
    [("write /var/lib/docker/tmp/x: no space left on device", True), ("manifest unknown", False)],
    ids=["full", "another reason"],
)
def test_a_full_disk_is_recognised(said: str, full: bool) -> None:
    assert disk.is_full(said) == full
