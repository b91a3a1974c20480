# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The configuration on disk: numbered trees, and the one link that says which of them is live.

``/etc/nginx/composeops/live`` names ``generations/<number>``. A new tree is written and tested beside the live one;
going live is the replacement of this link. So a crash at any point leaves one whole tree or the other, and going back
is the same step. Everything that changes what nginx serves goes through ``publish``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Protocol

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

ROOT = "/etc/nginx/composeops"
LOCK = "/run/composeops/edge.lock"
"""Held while nginx's configuration or certificates change, by a play or by a renewal."""
LOCK_WAIT = 60.0
NUMBER_FILE = "generation.conf"


class NotLoaded(ComposeOpsError):
    """nginx said why it does not load a configuration, and goes on with the one that it has."""


class Server(Protocol):
    """What publishing needs of nginx."""

    def test_tree(self, tree: str) -> list[str]: ...

    def reload_until(self, generation: int) -> None: ...


class LiveTree:
    """The trees below ``root``."""

    def __init__(self, root: str = ROOT) -> None:
        self._link = os.path.join(root, "live")
        self._generations = os.path.join(root, "generations")

    def generation(self) -> int | None:
        """Return the number of the live tree, or None before the first."""
        with contextlib.suppress(OSError, ValueError):
            return int(os.path.basename(os.readlink(self._link)))
        return None

    def files(self) -> dict[str, str]:
        """Return relative path and content of every file of the live tree, without the one that holds its number."""
        found: dict[str, str] = {}
        for directory, _, names in os.walk(self._link):
            for name in names:
                path = os.path.join(directory, name)
                relative = os.path.relpath(path, self._link)
                if relative != NUMBER_FILE:
                    found[relative] = files.read_text(path) or ""
        return found

    def try_out(self, tree: Mapping[str, str], server: Server) -> list[str]:
        """Have nginx judge ``tree`` without leaving anything behind; return its warnings."""
        with tempfile.TemporaryDirectory(prefix="composeops-edge-") as directory:
            _write(directory, tree, 0)
            return server.test_tree(directory)

    def publish(self, tree: Mapping[str, str], server: Server) -> list[str]:
        """Make ``tree`` live and have nginx load it; put back what was there when it does not. Return warnings."""
        before = self.generation()
        number = max([0, *self._numbers()]) + 1
        directory = os.path.join(self._generations, str(number))
        try:
            _write(directory, tree, number)
            warnings = server.test_tree(directory)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        self._go_live(number)
        try:
            server.reload_until(number)
        except ComposeOpsError as error:
            self._put_back(before, server, error)
        self._prune(keep={number, before})
        return warnings

    def _put_back(self, before: int | None, server: Server, error: ComposeOpsError) -> None:
        if before is None:
            os.unlink(self._link)
            raise ComposeOpsError(error.message, "Correct it and run again; no site is served yet.") from error
        self._go_live(before)
        try:
            if not isinstance(error, NotLoaded):
                # Where it never left what is now back, a reload would only close connections under requests.
                server.reload_until(before)
        except ComposeOpsError as second:
            raise ComposeOpsError(
                f"{error.message} The configuration from before is back on disk, but nginx did not load it either: "
                f"{second.message}",
                "Look at `systemctl status nginx` and `nginx -t` on the host now.",
            ) from error
        raise ComposeOpsError(
            error.message, "The configuration from before was put back and serves; correct it and run again."
        ) from error

    def _go_live(self, number: int) -> None:
        point_link(self._link, os.path.join("generations", str(number)))

    def _numbers(self) -> list[int]:
        with contextlib.suppress(FileNotFoundError):
            return [int(name) for name in os.listdir(self._generations) if name.isdigit()]
        return []

    def _prune(self, keep: set[int | None]) -> None:
        for number in self._numbers():
            if number not in keep:
                shutil.rmtree(os.path.join(self._generations, str(number)), ignore_errors=True)


def point_link(link: str, target: str) -> None:
    """Let ``link`` name ``target``, replacing what it named in one step."""
    temporary = f"{link}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    os.symlink(target, temporary)
    os.replace(temporary, link)
    descriptor = os.open(os.path.dirname(link), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(directory: str, tree: Mapping[str, str], number: int) -> None:
    # nginx reads `map` for any request, so this is a constant that a header can carry.
    numbered = {**tree, NUMBER_FILE: f"map $host $composeops_generation {{\n    default {number};\n}}\n"}
    for relative, content in numbered.items():
        path = os.path.join(directory, relative)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        files.write_atomically(path, content.encode(), mode=0o644)
