# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs commands: the only place of the collection that starts a process and waits for its whole output."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError

DEFAULT_TIMEOUT = 120.0
"""Seconds a command may run unless its caller knows better."""

NOT_FOUND = 127
"""The status a shell gives for a command that does not exist."""


@dataclass(frozen=True)
class Completed:
    """A command that ended: its argv, exit status and decoded output."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        return self.returncode == 0


class Runner(Protocol):
    """What adapters need of a runner, so that tests can hand them recorded output."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        check: bool = True,
    ) -> Completed: ...


class CommandRunner:
    """Runs argv lists without a shell, in the C locale, with a time-out in seconds.

    Secrets belong in ``stdin`` or in files; argv is visible to every user of the machine.
    """

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        check: bool = True,
    ) -> Completed:
        """Run ``argv`` to its end.

        With ``check`` an exit status other than 0 raises ``CommandError``; without it the status is for the caller
        to judge, and a missing program is status 127. A time-out always raises, after the process was killed.
        """
        merged = {**os.environ, "LC_ALL": "C", **(environment or {})}
        try:
            process = subprocess.run(
                list(argv),
                input=stdin,
                env=merged,
                cwd=directory,
                timeout=timeout,
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                stdin=subprocess.DEVNULL if stdin is None else None,
            )
        except FileNotFoundError as error:
            if check or (directory is not None and not os.path.isdir(directory)):
                raise CommandError(
                    f"{argv[0]} could not be started: {error.strerror}: {error.filename}.",
                    "Install it, or run the playbook that does (playbooks/provision.yml).",
                    returncode=NOT_FOUND,
                ) from error
            return Completed(tuple(argv), NOT_FOUND, "", f"{argv[0]}: not found")
        except PermissionError as error:
            raise CommandError(
                f"{argv[0]} may not be started: {error.strerror}.", "Run with become: true.", returncode=126
            ) from error
        except subprocess.TimeoutExpired as error:
            raise CommandError(
                f"`{' '.join(argv)}` did not end within {timeout:g} s and was stopped.",
                "Look at what it waits for, or raise the time-out.",
            ) from error
        completed = Completed(tuple(argv), process.returncode, process.stdout, process.stderr)
        if check and not completed.ok:
            said = (completed.stderr or completed.stdout).strip() or "nothing"
            raise CommandError(
                f"`{' '.join(argv)}` failed with status {completed.returncode}; it said: {said}",
                returncode=completed.returncode,
                stderr=completed.stderr,
            )
        return completed
