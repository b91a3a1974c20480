"""Remove directories that something may still be mounted in: never what is mounted, only what is the bed's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from testbed.runner import run

MOUNTS = Path("/proc/self/mounts")


def mounts_below(roots: Sequence[Path], table: Path = MOUNTS) -> list[str]:
    """Mount points under the given directories, outer ones first."""
    lines = table.read_text(encoding="utf-8").splitlines()
    # The kernel writes a blank in a path as \040.
    points = [line.split()[1].encode().decode("unicode_escape") for line in lines]
    prefixes = tuple(f"{root}/" for root in roots)
    return [point for point in points if point.startswith(prefixes)]


def unmount(roots: Sequence[Path]) -> None:
    for mount in reversed(mounts_below(roots)):
        run(("umount", mount), next_step=f"Something still uses {mount}: `fuser -m {mount}` shows what.")


def remove(root: Path) -> None:
    """The whole tree, after everything mounted in it was unmounted."""
    if root.exists():
        unmount([root])
        shutil.rmtree(root)
