# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Directories of a test instead of the host's, and what is there of a stack before a test."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.composeops.stack.plugins.module_utils.release.run import Places
from ansible_collections.composeops.stack.plugins.module_utils.release.state import StackState, serialise


def places(directory: Path) -> Places:
    return Places(*(str(directory / name) for name in ("locks", "stacks", "secrets", "log/audit.jsonl")))


def deploy(where: Places, stack: str = "shop", release: int = 7) -> None:
    """Have a stack be there, in its release with that number."""
    directory = Path(where.stacks) / stack
    (directory / f"releases/{release}").mkdir(parents=True, exist_ok=True)
    record = StackState(stack, stack, "5f2b", "2026-05-01T12:00:00+00:00", release=release)
    (directory / "state.json").write_bytes(serialise(record))


def secrets(where: Places, stack: str = "shop", **values: str) -> None:
    directory = Path(where.secrets)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{stack}.json").write_text(json.dumps(values))
