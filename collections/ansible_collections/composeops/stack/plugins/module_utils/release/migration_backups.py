# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backs up what a migration is about to change, with the program that the timers use."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ansible_collections.composeops.stack.plugins.module_utils.backup import settings
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

PROGRAM = "/usr/local/bin/composeops"
TIMEOUT = 6 * 3600.0
"""Seconds; every source has a limit of its own, which is shorter."""


class MigrationBackups:
    """The backups that a release of one stack asks for."""

    def __init__(self, stack: str, runner: Runner) -> None:
        self._stack = stack
        self._runner = runner

    def check(self, sources: Sequence[str]) -> None:
        """Raise, before anything happens, where a source cannot be backed up on this host."""
        if not sources:
            return
        if not os.path.exists(PROGRAM):
            raise InvalidInput(
                f"Stack {self._stack}: migration.backup names {', '.join(sources)}, and {PROGRAM} is not on this host.",
                "Run playbooks/site.yml, whose role backup installs it, or take backup out of the migration.",
            )
        known = [source.name for source in settings.require().sources]
        unknown = [source for source in sources if source not in known]
        if unknown:
            raise InvalidInput(
                f"Stack {self._stack}: migration.backup names {', '.join(unknown)}, which is no backup source here.",
                f"This host has {', '.join(known) or 'none'}; correct migration.backup or backup_sources.",
            )

    def take(self, sources: Sequence[str]) -> None:
        """Back up every source; raise with what the program said where one fails."""
        for source in sources:
            completed = self._runner.run([PROGRAM, "backup", "run", source], timeout=TIMEOUT, check=False)
            if not completed.ok:
                said = (completed.stderr or completed.stdout).strip() or f"it ended with status {completed.returncode}"
                raise ComposeOpsError(
                    f"Stack {self._stack}: the backup of {source} before the migration failed: {said}",
                    "Nothing was changed. Correct the cause and deploy again.",
                )
