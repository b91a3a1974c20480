# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The program Traefik on this host: taken out of its image, which is where its makers publish it for an engine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

INSIDE = "/usr/local/bin/traefik"
"""Where the image has it."""
RECORD = "/var/lib/composeops/traefik.json"
PULL_TIMEOUT = 600.0
MODE = 0o755
CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Installed:
    """What is installed, and where it came from."""

    image: str = ""
    sha256: str = ""
    intact: bool = False
    """Whether the program is still the one that was installed."""


class Program:
    """The program at ``path``; ``record`` is where its origin is kept."""

    def __init__(self, runner: Runner, path: str, record: str = RECORD) -> None:
        self._runner = runner
        self._path = path
        self._record = record

    def installed(self) -> Installed:
        """Return what is installed."""
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found = json.loads(files.read_text(self._record) or "")
            return Installed(found["image"], found["sha256"], checksum(self._path) == found["sha256"])
        return Installed()

    def install(self, image: str, wanted: str) -> str:
        """Take the program out of ``image`` and return its checksum; raise where it is not the one ``wanted``."""
        if not self._runner.run(["docker", "image", "inspect", image], check=False).ok:
            try:
                self._runner.run(["docker", "pull", "--quiet", image], timeout=PULL_TIMEOUT)
            except CommandError as error:
                raise ComposeOpsError(
                    f"The image {image} cannot be pulled: {error.stderr.strip() or error.message}",
                    "Correct edge_traefik_image, or the way to its registry (docker_engine_registry_mirrors).",
                ) from error
        candidate = f"{self._path}.new"
        container = self._runner.run(["docker", "create", image]).stdout.strip()
        try:
            self._runner.run(
                ["docker", "cp", "--follow-link", f"{container}:{INSIDE}", candidate], timeout=PULL_TIMEOUT
            )
        finally:
            self._runner.run(["docker", "rm", "--volumes", container], check=False)
        try:
            found = checksum(candidate)
            if wanted and found != wanted:
                raise ComposeOpsError(
                    f"The program in {image} has the checksum {found}, not {wanted}. What was installed before stays.",
                    "Correct edge_traefik_image or edge_traefik_sha256.",
                )
            os.chown(candidate, 0, 0)
            os.chmod(candidate, MODE)
            os.replace(candidate, self._path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(candidate)
        record = json.dumps({"image": image, "sha256": found}, indent=2) + "\n"
        os.makedirs(os.path.dirname(self._record), mode=0o755, exist_ok=True)
        files.write_atomically(self._record, record.encode(), mode=0o644, uid=os.geteuid(), gid=os.getegid())
        return found


def checksum(path: str) -> str:
    """Return the SHA-256 of a file; empty where there is none."""
    try:
        with open(path, "rb") as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
            return digest.hexdigest()
    except FileNotFoundError:
        return ""
