# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes directories, files and links: whole or not at all, and only after their validator agreed."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import tempfile

from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host.model import Directory, File, Link
from ansible_collections.composeops.stack.plugins.module_utils.io.files import write_atomically
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

VALIDATE_TIMEOUT = 60.0


def make_directory(directory: Directory) -> None:
    os.makedirs(directory.path, mode=0o755, exist_ok=True)
    set_attributes(directory.path, directory.mode, directory.owner, directory.group)


def remove_directory(path: str) -> None:
    shutil.rmtree(path)


def write_file(file: File, runner: Runner) -> None:
    """Write ``file``; with ``validate``, only after that command accepted the candidate beside it."""

    def validate(candidate: str) -> None:
        argv = [word.replace("%s", candidate) for word in file.validate]
        try:
            runner.run(argv, timeout=VALIDATE_TIMEOUT)
        except CommandError as error:
            said = str(error).replace(candidate, file.path).rstrip(".")
            raise ComposeOpsError(
                f"the new content was refused and what was there before is still there: {said}.",
                "Correct the template or its variables.",
            ) from error

    write_atomically(
        file.path,
        file.content,
        mode=file.mode,
        uid=uid_of(file.owner),
        gid=gid_of(file.group),
        validate=validate if file.validate else None,
    )


def set_attributes(path: str, mode: int, owner: str, group: str) -> None:
    # The owner first: changing it clears the set-id bits of the mode.
    os.chown(path, uid_of(owner), gid_of(group))
    os.chmod(path, mode)


def make_link(link: Link) -> None:
    """Point ``link`` to its target in one step, so that there is no moment without it."""
    directory = tempfile.mkdtemp(prefix=".composeops-", dir=os.path.dirname(link.path))
    temporary = os.path.join(directory, "link")
    try:
        os.symlink(link.target, temporary)
        os.replace(temporary, link.path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.rmdir(directory)


def uid_of(owner: str) -> int:
    try:
        return int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
    except KeyError as error:
        raise ComposeOpsError(f"its owner {owner} is no account of this host.", "Declare it under users.") from error


def gid_of(group: str) -> int:
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ComposeOpsError(f"its group {group} is no group of this host.", "Declare it under groups.") from error
