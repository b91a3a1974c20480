# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The error that says: this backup is bad. Every other error says only that it could not be looked at, or not used."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

REMEDY = "Choose another backup, and take a new one (`composeops backup run SOURCE`)."


class Damaged(ComposeOpsError):
    """What the store gave back, or what was restored from it, is not what was backed up.

    ``level`` is the level of proof that it fails; without one, that of the step in which it was found.
    """

    def __init__(self, message: str, remedy: str = REMEDY, *, level: Level | None = None) -> None:
        super().__init__(message, remedy)
        self.level = level
