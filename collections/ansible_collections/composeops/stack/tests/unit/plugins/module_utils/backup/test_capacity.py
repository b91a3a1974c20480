# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import capacity
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

DF = """\
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/vda         263174212 34603008  73400320      33% /var/lib/postgresql/data
"""


def test_what_df_says_is_read() -> None:
    assert capacity.free_bytes(DF) == 73400320 * 1024
    assert capacity.free_bytes(DF.splitlines()[1]) == 73400320 * 1024


def test_what_the_kernel_says_of_memory_is_read() -> None:
    assert capacity.available_memory("MemTotal: 9 kB\nMemAvailable:   1024 kB\n") == 1024 * 1024
    with pytest.raises(ComposeOpsError):
        capacity.available_memory("MemTotal: 9 kB\n")


def test_too_little_is_refused_before_anything_changes() -> None:
    capacity.require("Memory", free=10, needed=10)
    with pytest.raises(ComposeOpsError, match=r"Memory has 1\.0 KiB free; the restore needs 2\.0 KiB"):
        capacity.require("Memory", free=1024, needed=2048)
