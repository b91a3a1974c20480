# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import bandwidth
from ansible_collections.composeops.stack.plugins.module_utils.backup.bandwidth import Pace
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "rate"), [("0", 0), ("131072", 131072), ("800K", 819200), ("20M", 20971520), ("1G", 2**30)]
)
def test_a_rate_is_read(text: str, rate: int) -> None:
    assert bandwidth.parse(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "20MB", "-1", "1.5M", "100", "127K"])
def test_no_rate_is_refused_by_the_name_of_its_key(text: str) -> None:
    with pytest.raises(InvalidInput, match="backup_bandwidth"):
        bandwidth.parse(text)


class Clock:
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("piece", [1000, 16384, 1_000_000])
def test_a_stream_takes_as_long_as_its_rate_says(piece: int) -> None:
    clock = Clock()
    pace = Pace(1_000_000, clock=lambda: clock.now, sleep=clock.sleep)
    for _ in range(10_000_000 // piece):
        pace.wait(piece)
    assert clock.now == pytest.approx(10, abs=bandwidth.BURST_SECONDS + 1)


def test_a_long_pause_is_not_made_good_at_once() -> None:
    clock = Clock()
    pace = Pace(1_000_000, clock=lambda: clock.now, sleep=clock.sleep)
    clock.now = 3600.0
    pace.wait(2_000_000)
    assert clock.now == pytest.approx(3602, abs=bandwidth.BURST_SECONDS)
