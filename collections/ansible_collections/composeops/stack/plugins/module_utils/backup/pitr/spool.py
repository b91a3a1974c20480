# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The log on its way: finished segments in a directory of this host, one for each timeline of each cluster.

A restore begins a new timeline, and a new volume a new cluster; what the one before has left is still sent.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import wal
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.server import Mark
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

DIRECTORY = "/var/lib/composeops/wal"
PARTIAL = ".partial"
MARKS = "marks.json"

_CLUSTER = re.compile(r"(?P<system>\d+)-(?P<timeline>[0-9A-F]{8})\Z")


@dataclass(frozen=True)
class Waiting:
    """A file of the log that is to be sent."""

    path: str
    system: str
    name: str
    complete_until: datetime | None


class Spool:
    """The files of one source that are not known to be in the store yet."""

    def __init__(self, source: str, directory: str = DIRECTORY) -> None:
        self.source = source
        self.directory = os.path.join(directory, source)
        os.makedirs(self.directory, mode=0o700, exist_ok=True)

    def receiving(self, system: str, timeline: int) -> str:
        """Return the directory that a timeline is received into, without what was received in part.

        That is received anew: its server keeps it until the segment is whole.
        """
        path = os.path.join(self.directory, f"{system}-{timeline:08X}")
        os.makedirs(path, mode=0o700, exist_ok=True)
        for name in os.listdir(path):
            if name.endswith(PARTIAL):
                os.unlink(os.path.join(path, name))
        return path

    def waiting(self) -> list[Waiting]:
        """Return what is whole and not sent yet, oldest first."""
        marks = {(mark.system, mark.segment): mark.moment for mark in self.marks()}
        found = []
        for cluster in sorted(os.listdir(self.directory)):
            match = _CLUSTER.match(cluster)
            if match is None:
                continue
            path = os.path.join(self.directory, cluster)
            for name in sorted(os.listdir(path)):
                if wal.segment(name) is not None or wal.history(name) is not None:
                    until = marks.get((match["system"], name))
                    found.append(Waiting(os.path.join(path, name), match["system"], name, until))
        return found

    def bytes(self) -> int:
        """Return how much lies here."""
        return sum(os.path.getsize(one.path) for one in self.waiting())

    def sent(self, one: Waiting) -> None:
        """Forget a file that the store has, and the marks that are of no use any more."""
        os.unlink(one.path)
        marks = self.marks()
        later = [mark for mark in marks if mark.segment > one.name or mark.system != one.system]
        # The newest says what was written since.
        kept = later if marks and marks[-1] in later else [*later, *marks[-1:]]
        if kept != marks:
            self._write(kept)

    def marks(self) -> list[Mark]:
        """Return the marks that were made, oldest first."""
        text = files.read_text(self._path)
        if text is None:
            return []
        try:
            return [_mark(item) for item in json.loads(text)]
        except (ValueError, KeyError, TypeError) as error:
            raise ComposeOpsError(f"{self._path} cannot be read: {error}.", "Remove it.") from error

    def add(self, mark: Mark) -> None:
        self._write([*self.marks(), mark])

    @property
    def _path(self) -> str:
        return os.path.join(self.directory, MARKS)

    def _write(self, marks: list[Mark]) -> None:
        content = json.dumps([{**vars(mark), "moment": mark.moment.isoformat()} for mark in marks], indent=1) + "\n"
        files.write_atomically(self._path, content.encode(), mode=0o600, uid=os.geteuid(), gid=os.getegid())


def _mark(item: Mapping[str, str]) -> Mark:
    return Mark(item["system"], item["segment"], datetime.fromisoformat(item["moment"]), item["snapshot"])
