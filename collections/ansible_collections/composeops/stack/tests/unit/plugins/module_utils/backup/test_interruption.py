# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
import signal

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.interruption import Interrupted, interruptible


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_the_block_and_lets_it_clean_up(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    cleaned = []
    with pytest.raises(Interrupted, match=number.name), interruptible():
        try:
            os.kill(os.getpid(), number)
        finally:
            # A second signal does not cut the cleaning up short.
            os.kill(os.getpid(), signal.SIGTERM)
            cleaned.append("all of it")
    assert cleaned == ["all of it"]
    assert signal.getsignal(number) == before
