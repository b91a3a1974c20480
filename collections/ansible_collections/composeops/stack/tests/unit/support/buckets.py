# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bucket in memory that behaves like one, or fails as it is told to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import BinaryIO

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

LONG_AGO = datetime(2020, 1, 1, tzinfo=timezone.utc)


@dataclass
class MemoryBucket:
    """Objects by key, and uploads that nobody has completed yet."""

    contents: dict[str, bytes] = field(default_factory=dict)
    pending: dict[str, dict[int, bytes]] = field(default_factory=dict)
    initiated: dict[str, datetime] = field(default_factory=dict)
    dates: dict[str, datetime] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fail_at_part: int = 0
    fail_on: str = ""
    lose: int = 0
    sent: int = 0
    paced: bool = False

    def pace(self, wait: Callable[[int], None]) -> None:
        self.paced = True

    def begin(self, key: str) -> str:
        self._call(f"begin {key}")
        self.pending[key] = {}
        return f"upload of {key}"

    def part(self, key: str, upload_id: str, number: int, content: bytes | bytearray | BinaryIO) -> str:
        if number == self.fail_at_part:
            raise ComposeOpsError("the store is gone")
        self.pending[key][number] = bytes(content) if isinstance(content, (bytes, bytearray)) else content.read()
        self.sent += 1
        return f"tag {number}"

    def complete(self, key: str, upload_id: str, tags: list[str]) -> None:
        self._call(f"complete {key}")
        parts = self.pending.pop(key)
        assert tags == [f"tag {number}" for number in sorted(parts)]
        content = b"".join(parts[number] for number in sorted(parts))
        self.contents[key] = content[: len(content) - self.lose]

    def abort(self, key: str, upload_id: str) -> None:
        self._call(f"abort {key}")
        self.pending.pop(key, None)

    def size(self, key: str) -> int:
        return len(self.contents[key])

    def delete(self, key: str) -> None:
        self._call(f"delete {key}")
        del self.contents[key]

    def write(self, key: str, content: bytes) -> None:
        self._call(f"write {key}")
        self.contents[key] = content

    def read(self, key: str) -> bytes:
        return self.contents[key]

    def download(self, key: str, path: str) -> tuple[int, str]:
        content = self.contents[key]
        with open(path, "xb") as stream:
            stream.write(content)
        return len(content), hashlib.sha256(content).hexdigest()

    def digest(self, key: str) -> tuple[int, str]:
        return len(self.contents[key]), hashlib.sha256(self.contents[key]).hexdigest()

    def objects(self, prefix: str) -> Iterator[tuple[str, int]]:
        return ((key, len(content)) for key, content in self.contents.items() if key.startswith(prefix))

    def dated(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        return ((key, size, self.dates.get(key, LONG_AGO)) for key, size in self.objects(prefix))

    def folders(self, prefix: str = "") -> list[str]:
        below = (key[len(prefix) :].split("/") for key in self.contents if key.startswith(prefix))
        return sorted({parts[0] for parts in below if len(parts) > 1})

    def delete_all(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.delete(key)

    def uploads(self, prefix: str) -> list[tuple[str, str, datetime]]:
        return [(key, f"upload of {key}", self.initiated[key]) for key in self.pending if key.startswith(prefix)]

    def _call(self, call: str) -> None:
        if self.fail_on and call.startswith(self.fail_on):
            raise ComposeOpsError("the store is gone")
        self.calls.append(call)
