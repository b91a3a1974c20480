# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kills the run after a step when a test asks for it, so that what the next run makes of it can be seen.

``COMPOSEOPS_FAULT=after:switch`` in the environment of the run does that; SIGKILL leaves it no chance to tidy up.
"""

from __future__ import annotations

import os
import signal

VARIABLE = "COMPOSEOPS_FAULT"


def after(step: str) -> None:
    """End here and now where the environment names this step."""
    if os.environ.get(VARIABLE) == f"after:{step}":
        os.kill(os.getpid(), signal.SIGKILL)
