# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one family of errors that domains and adapters raise; only module and program shells turn them into exits."""

from __future__ import annotations


class ComposeOpsError(Exception):
    """Something the operator has to act on.

    ``message`` says what is wrong and where; ``remedy`` says what to do next and may be empty only when the message
    already says it. Neither may contain a secret.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.notes: list[str] = []
        """What the operator should know beside it."""

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class CommandError(ComposeOpsError):
    """A command could not be started, ran out of time or exited with a status that means failure."""

    def __init__(self, message: str, remedy: str = "", *, returncode: int | None = None, stderr: str = "") -> None:
        super().__init__(message, remedy)
        self.returncode = returncode
        self.stderr = stderr


class InvalidInput(ComposeOpsError):
    """What was asked for cannot be right; raised before anything is changed."""
