# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Puts restored files of a Redis or a PostgreSQL in the place of the old ones while it is stopped, and back on failure.

The moves are renames inside the data directory, made by a container of their own, which goes on when this process
is killed. A journal says that the server was stopped, so that the next run starts it again whatever happened.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.docker import Docker
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

NEW = ".composeops-restoring"
"""Where restored files are made ready, inside the data directory: the same disk, so a move is a rename."""

STOP_SECONDS = 120

# $1 data directory, $2 where the old files go, then their names. `.replaced` is there while the plain names are the
# new files': each script can be killed and run again.
_SWAP = f"""\
set -eu
cd "$1"; aside=$2; shift 2
mkdir "$aside"
for name; do if [ -e "$name" ]; then mv "$name" "$aside/"; fi; done
touch "$aside/.replaced"
for name; do if [ -e "{NEW}/$name" ]; then mv "{NEW}/$name" .; fi; done
rm -rf "{NEW}"
sync
"""

_UNDO = f"""\
set -eu
cd "$1"; aside=$2; shift 2
if [ -d "$aside" ]; then
    if [ -e "$aside/.replaced" ]; then
        for name; do rm -rf "./$name"; done
        rm "$aside/.replaced"
    fi
    for name; do if [ -e "$aside/$name" ]; then mv "$aside/$name" .; fi; done
    rmdir "$aside"
fi
rm -rf "{NEW}"
sync
"""

_STATE = f"""\
set -eu
cd "$1"
if [ -e "$2/.replaced" ] && [ ! -e "{NEW}" ]; then echo replaced; else echo unfinished; fi
"""


@dataclass(frozen=True)
class Journal:
    """A swap under way: enough for another process to finish or undo it."""

    directory: str
    names: tuple[str, ...]
    aside: str


def helper_name(source: Source) -> str:
    """Return the name of the container that works on the data of ``source``; there is one at a time."""
    return f"composeops-restore-{source.stack}-{source.service}"


def in_volumes(
    runner: Runner,
    source: Source,
    container: Mapping[str, Any],
    script: str,
    arguments: Sequence[str],
    *,
    mounts: Sequence[str] = (),
) -> str:
    """Run a shell script as root in a container of the same image that sees the same volumes, and nothing else."""
    mounted = [word for mount in mounts for word in ("--mount", mount)]
    argv = [
        *("docker", "run", "--rm", "--name", f"{helper_name(source)}-files", "--network", "none", "--user", "0:0"),
        *("--volumes-from", str(container["Id"]), *mounted, "--entrypoint", "sh", str(container["Image"])),
        *("-c", script, "sh", *arguments),
    ]
    return runner.run(argv, timeout=3600).stdout


def journal_path(source: Source, directory: str) -> str:
    return os.path.join(directory, f"{source.name}.restore.json")


def swap(runner: Runner, source: Source, container: Mapping[str, Any], journal: Journal, directory: str) -> None:
    """Stop the server, exchange its files and start it; on failure it runs on its old files again."""
    path = journal_path(source, directory)
    content = json.dumps(asdict(journal), indent=2).encode()
    files.write_atomically(path, content, mode=0o600, uid=os.geteuid(), gid=os.getegid())
    try:
        stop(runner, container)
        in_volumes(runner, source, container, _SWAP, [journal.directory, journal.aside, *journal.names])
        start(runner, container)
    except BaseException:
        undo(runner, source, container, journal, directory)
        raise


def undo(runner: Runner, source: Source, container: Mapping[str, Any], journal: Journal, directory: str) -> None:
    """Put the old files back and start the server."""
    _remove(runner, f"{helper_name(source)}-files")
    try:
        stop(runner, container)
        in_volumes(runner, source, container, _UNDO, [journal.directory, journal.aside, *journal.names])
    finally:
        start(runner, container)
    done(source, directory)


def done(source: Source, directory: str) -> None:
    """Forget the swap: the server runs, on the new files or on the old."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(journal_path(source, directory))


def recover(source: Source, runner: Runner, directory: str) -> list[str]:
    """Finish or undo what a killed restore left, and see that the server runs; return what was done."""
    text = files.read_text(journal_path(source, directory))
    if text is None:
        return []
    content = json.loads(text)
    journal = Journal(content["directory"], tuple(content["names"]), content["aside"])
    found = Docker(runner).containers(source.stack, source.service)
    if not found:
        raise ComposeOpsError(
            f"A restore of {source.name} was interrupted, and the container of service {source.service} is gone.",
            "Deploy the stack (playbooks/deploy.yml), then run this again.",
        )
    container = found[0]
    remove_helpers(runner, source)
    state = in_volumes(runner, source, container, _STATE, [journal.directory, journal.aside]).strip()
    if state == "replaced":
        start(runner, container)
        done(source, directory)
        return [f"Finished an interrupted restore: the old files are in {journal.directory}/{journal.aside}."]
    undo(runner, source, container, journal, directory)
    return ["Undid an interrupted restore: the server runs on its old files."]


def remove_helpers(runner: Runner, source: Source) -> None:
    """Remove the containers that a killed restore left."""
    _remove(runner, helper_name(source))
    _remove(runner, f"{helper_name(source)}-files")


def stop(runner: Runner, container: Mapping[str, Any]) -> None:
    identifier = str(container["Id"])
    runner.run(["docker", "stop", "--time", str(STOP_SECONDS), identifier], timeout=STOP_SECONDS + 60)


def start(runner: Runner, container: Mapping[str, Any]) -> None:
    runner.run(["docker", "start", str(container["Id"])])


def _remove(runner: Runner, name: str) -> None:
    runner.run(["docker", "rm", "--force", "--volumes", name], check=False)
