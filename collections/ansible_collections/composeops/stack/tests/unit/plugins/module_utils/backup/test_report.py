# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import report


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (119, "1 min"),
        (3600, "1 h"),
        (3 * 3600 + 12 * 60 + 5, "3 h 12 min"),
        (3600 + 5, "1 h"),
        (86400, "1 d"),
        (12 * 86400 + 4 * 3600 + 59 * 60, "12 d 4 h"),
    ],
)
def test_durations(seconds: int, shown: str) -> None:
    assert report.duration(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (3 * 1024**3, "3.0 GiB"),
        (1024**5, "1024.0 TiB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert report.size(count) == shown


@pytest.mark.parametrize(("names", "shown"), [("a", "a"), ("abc", "a, b, c"), ("abcde", "a, b, c and 2 more")])
def test_long_lists(names: str, shown: str) -> None:
    assert report.some(list(names)) == shown
