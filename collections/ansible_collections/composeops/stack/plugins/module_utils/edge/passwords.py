# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files with the hashes of passwords: written before what names them, removed when nothing does any more."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Mapping

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

MODE = 0o640


class Passwords:
    """The files of one directory, readable by root and by the group of the proxy."""

    def __init__(self, directory: str, group: str, *, owner: int = 0) -> None:
        self._directory = directory
        self._group = group
        self._owner = owner

    def missing(self, wanted: Mapping[str, str]) -> list[str]:
        """Return the paths of ``wanted`` that are not on the host as they have to be."""
        return sorted(path for path, content in wanted.items() if not self._intact(path, content))

    def obsolete(self, wanted: Mapping[str, str]) -> list[str]:
        """Return the paths that nothing names."""
        try:
            there = os.listdir(self._directory)
        except FileNotFoundError:
            return []
        return sorted(path for path in (os.path.join(self._directory, name) for name in there) if path not in wanted)

    def sentences(self, wanted: Mapping[str, str]) -> list[str]:
        """Say what would change, without any hash."""
        return [
            *(f"write the passwords of site {_site(path)}" for path in self.missing(wanted)),
            *(f"remove passwords of site {_site(path)} that are used no more" for path in self.obsolete(wanted)),
        ]

    def write(self, wanted: Mapping[str, str]) -> None:
        """Write what is missing."""
        missing = self.missing(wanted)
        if not missing:
            return
        gid = self._gid()
        if gid is None:
            raise ComposeOpsError(
                f"There is no group {self._group}, whose programs are to check passwords.", "Run the role edge."
            )
        os.makedirs(self._directory, mode=0o755, exist_ok=True)
        for path in missing:
            files.write_atomically(path, wanted[path].encode(), mode=MODE, uid=self._owner, gid=gid)

    def prune(self, wanted: Mapping[str, str]) -> None:
        """Remove what nothing names."""
        for path in self.obsolete(wanted):
            os.unlink(path)

    def _intact(self, path: str, content: str) -> bool:
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return False
        owned = (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (self._owner, self._gid(), MODE)
        return owned and files.read_text(path) == content

    def _gid(self) -> int | None:
        try:
            return grp.getgrnam(self._group).gr_gid
        except KeyError:
            return None


def _site(path: str) -> str:
    return os.path.basename(path).rpartition("-")[0]
