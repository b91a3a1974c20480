# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much of CPU, memory and disks is in use, by psutil."""

from __future__ import annotations

import importlib
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Thresholds


class Usage:
    """Measures what has a threshold. CPU is what was used since the last sample."""

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._psutil = _psutil() if thresholds.any else None
        if self._psutil and thresholds.cpu:
            self._psutil.cpu_percent(interval=None)

    def sample(self) -> dict[str, float]:
        """Return percentages by resource; a disk that is not there is left out."""
        if self._psutil is None:
            return {}
        found: dict[str, float] = {}
        if self._thresholds.cpu:
            found["cpu"] = float(self._psutil.cpu_percent(interval=None))
        if self._thresholds.memory:
            found["memory"] = float(self._psutil.virtual_memory().percent)
        for path in self._thresholds.disks if self._thresholds.disk else ():
            try:
                found[f"disk {path}"] = float(self._psutil.disk_usage(path).percent)
            except OSError:
                continue
        return found


def _psutil() -> Any:
    try:
        return importlib.import_module("psutil")
    except ImportError as error:
        raise ComposeOpsError(
            "CPU, memory and disks cannot be watched: the Python library psutil is not installed.",
            "Install python3-psutil, or set the thresholds to 0.",
        ) from error
