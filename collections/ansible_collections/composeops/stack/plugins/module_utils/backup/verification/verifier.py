# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a kind of source has to provide to be verified. A new kind is one more entry in ``run.VERIFIERS``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level, Source
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket


class Unjudged(ComposeOpsError):
    """A reader does not know what it was given; a restore tells whether it is any good."""


class Stopwatch:
    """How long each step took, in the order of the steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 3)


@dataclass(frozen=True)
class Task:
    """One verification: of which backup, and with what."""

    source: Source
    manifest: Manifest
    runner: Runner
    directory: str
    """A directory of its own, removed at its end, on the disk that the backup was fetched to."""
    deadline: float
    """A reading of ``time.monotonic``."""
    watch: Stopwatch = field(default_factory=Stopwatch)
    bucket: Bucket | None = None
    """Where more than the backup's objects is, for sources that have a log."""
    identity: str | None = None
    """What decrypts it."""

    @property
    def left(self) -> float:
        """Seconds until the deadline; never less than one, so that what is asked last can still answer."""
        return max(1.0, self.deadline - time.monotonic())


Paths = Mapping[str, str]
"""The backup's objects as files: fetched, compared with the manifest, decrypted and decompressed."""


@dataclass(frozen=True)
class Verifier:
    """Each step says what it has compared, one sentence each; it raises ``Damaged`` where the backup is bad, and
    another ``ComposeOpsError`` where it could not look."""

    read: Callable[[Task, Paths], list[str]]
    """Parse every object to its end."""
    restore: Callable[[Task, Paths], list[str]] | None
    """Restore into a place of its own that is thrown away, and compare; None where that cannot be done."""
    image: Callable[[Task], str] = lambda _task: ""
    """What it is restored into."""
    highest: Level = Level.RESTORED
    """The level that ``restore`` proves."""
