# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A runner that answers from a table and remembers what it was asked, instead of starting processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed

Answer = Callable[[Sequence[str]], "tuple[int, str, str]"]


@dataclass
class RecordedRunner:
    """``answer`` gives exit status, standard output and standard error for an argv."""

    answer: Answer = lambda argv: (0, "", "")
    calls: list[list[str]] = field(default_factory=list)
    environments: list[dict[str, str]] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        environment: Mapping[str, str] | None = None,
        directory: str | None = None,
        timeout: float = 0,
        check: bool = True,
    ) -> Completed:
        self.calls.append(list(argv))
        self.environments.append(dict(environment or {}))
        returncode, stdout, stderr = self.answer(argv)
        if check and returncode:
            raise CommandError(f"{argv[0]} failed: {stderr}", returncode=returncode, stderr=stderr)
        return Completed(tuple(argv), returncode, stdout, stderr)
