"""Who is compared, and what is required of ours. Pure."""

from __future__ import annotations

from dataclasses import dataclass

OURS = "ours"
MEMORY_LIMIT = 200 * 10**6
"""Bytes that all processes of a backup of ours may have together."""


@dataclass(frozen=True)
class Contestant:
    """One way to do it. ``required`` is the least ratio of its time to ours, where the project requires one."""

    name: str
    title: str
    required: float | None = None


BACKUP = (
    Contestant(OURS, "`composeops backup run`"),
    Contestant("pipeline", "`pg_dump \\| zstd \\| age \\| rclone rcat`", required=0.95),
    Contestant("restic", "`restic backup --stdin-from-command`, first backup", required=1.5),
)
RESTORE = (
    Contestant(OURS, "`composeops restore`, from the bucket"),
    Contestant("psql", "`psql` from a plain file on the host"),
    Contestant("pg_restore", "`pg_restore -j2` from a custom file on the host"),
)
