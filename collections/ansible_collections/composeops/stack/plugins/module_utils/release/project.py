# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files of a stack on its host; a run may die at any point, and a failed deployment puts the last ones back."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import COMPOSE_FILE, ENVIRONMENT_FILE
from ansible_collections.composeops.stack.plugins.module_utils.release.model import StackFile

PREVIOUS = "previous"
PARTIAL = "previous.partial"
STATE_FILE = "state.json"
DIRECTORY_MODE = 0o750
SECRET_MODE = 0o600


@dataclass(frozen=True)
class ProjectFiles:
    """The content of a stack's directory, without its record."""

    compose: str
    environment: str
    files: tuple[StackFile, ...] = ()

    def changed_from(self, before: ProjectFiles | None) -> list[str]:
        """Return the names of what differs, removed files included."""
        old = dict(before.entries()) if before else {}
        new = dict(self.entries())
        return sorted(path for path in {*old, *new} if old.get(path) != new.get(path))

    def entries(self) -> Iterator[tuple[str, tuple[bytes, int]]]:
        """Yield every file with its content and mode."""
        yield COMPOSE_FILE, (self.compose.encode(), SECRET_MODE)
        yield ENVIRONMENT_FILE, (self.environment.encode(), SECRET_MODE)
        for file in self.files:
            yield file.path, (file.content, file.mode)


class ProjectDirectory:
    """The directory of one stack."""

    def __init__(self, path: str) -> None:
        self.path = path

    def make(self) -> None:
        """Make the directory, which keeps the host's users out."""
        self._make(self.path)

    def read(self, paths: Collection[str]) -> ProjectFiles | None:
        """Return what is there of ``paths`` and the two files every stack has, or None before the first deployment."""
        return self._read(self.path, paths)

    def written_at(self, paths: Collection[str]) -> dict[str, float]:
        """Return when those of ``paths`` that exist were written, in seconds since the epoch."""
        locations = {path: os.path.join(self.path, path) for path in paths}
        return {path: os.stat(place).st_mtime for path, place in locations.items() if os.path.isfile(place)}

    def read_previous(self) -> ProjectFiles | None:
        """Return what was deployed before a run that has not ended well, or None."""
        root = os.path.join(self.path, PREVIOUS)
        return self._read(root, [path for path in _walk(root) if path not in (COMPOSE_FILE, ENVIRONMENT_FILE)])

    def keep_previous(self, current: ProjectFiles | None) -> None:
        """Set ``current`` aside; what an interrupted run set aside stays, because it is what was deployed last."""
        previous = os.path.join(self.path, PREVIOUS)
        if current is None or os.path.isdir(previous):
            return
        partial = os.path.join(self.path, PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        self._make(partial)
        _write(partial, current)
        os.replace(partial, previous)

    def write(self, wanted: ProjectFiles, obsolete: Collection[str] = ()) -> None:
        """Write ``wanted``, each file whole or not at all, and remove ``obsolete`` files."""
        self._make(self.path)
        _write(self.path, wanted)
        kept = {path for path, _ in wanted.entries()}
        for path in sorted(set(obsolete) - kept):
            _remove(self.path, path)

    def clear(self) -> None:
        """Remove everything: what was here no longer runs."""
        shutil.rmtree(self.path, ignore_errors=True)

    def forget_previous(self) -> None:
        """Remove what was set aside: what is deployed now has proved itself."""
        for name in (PREVIOUS, PARTIAL):
            shutil.rmtree(os.path.join(self.path, name), ignore_errors=True)

    def remove(self, paths: Collection[str]) -> None:
        """Remove what deployments wrote; anything else, such as data in a mounted directory, stays."""
        self.forget_previous()
        for name in ("colours", "releases"):
            shutil.rmtree(os.path.join(self.path, name), ignore_errors=True)
        for path in [*paths, COMPOSE_FILE, ENVIRONMENT_FILE, STATE_FILE]:
            _remove(self.path, path)
        if os.path.isdir(self.path) and not os.listdir(self.path):
            os.rmdir(self.path)

    def _make(self, path: str) -> None:
        if not os.path.isdir(path):
            os.makedirs(path, mode=DIRECTORY_MODE)
            os.chmod(path, DIRECTORY_MODE)

    def _read(self, root: str, paths: Collection[str]) -> ProjectFiles | None:
        compose = files.read_text(os.path.join(root, COMPOSE_FILE))
        if compose is None:
            return None
        found = []
        for path in sorted(set(paths)):
            location = os.path.join(root, path)
            if os.path.isfile(location):
                content = files.read_bytes(location) or b""
                found.append(StackFile(path, content, bool(os.stat(location).st_mode & stat.S_IXUSR)))
        environment = files.read_text(os.path.join(root, ENVIRONMENT_FILE)) or ""
        return ProjectFiles(compose, environment, tuple(found))


def _write(root: str, wanted: ProjectFiles) -> None:
    for path, (content, mode) in wanted.entries():
        location = os.path.join(root, path)
        os.makedirs(os.path.dirname(location), mode=0o755, exist_ok=True)
        if files.read_bytes(location) != content or stat.S_IMODE(os.stat(location).st_mode) != mode:
            files.write_atomically(location, content, mode=mode, uid=os.geteuid(), gid=os.getegid())


def _remove(root: str, path: str) -> None:
    location = os.path.join(root, path)
    if os.path.isfile(location):
        os.unlink(location)
    directory = os.path.dirname(location)
    while directory != root and os.path.isdir(directory) and not os.listdir(directory):
        os.rmdir(directory)
        directory = os.path.dirname(directory)


def _walk(root: str) -> list[str]:
    return [
        os.path.relpath(os.path.join(directory, name), root) for directory, _, names in os.walk(root) for name in names
    ]
