# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keys with which this host can read the log since its newest base backup, and no older one.

A base backup begins with a new key. Those before it are forgotten once it is committed, and nothing on the host
reads what they encrypted any more.
"""

from __future__ import annotations

import json
import os

from ansible_collections.composeops.stack.plugins.module_utils.backup import records
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding.identity import Identity, generate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner


def current(source: str, runner: Runner, directory: str = records.DIRECTORY) -> Identity:
    """Return what the log is encrypted to, beside the operators' keys; it is made when there is none."""
    known = _read(source, directory)
    if not known:
        known = [generate(runner)]
        _write(source, known, directory)
    return known[-1]


def renew(source: str, runner: Runner, directory: str = records.DIRECTORY) -> None:
    """Encrypt the log to a new key from now on; without any, it is not encrypted or nothing was sent yet."""
    known = _read(source, directory)
    if known:
        _write(source, [*known, generate(runner)], directory)


def forget_older(source: str, directory: str = records.DIRECTORY) -> None:
    """Keep the newest key alone."""
    known = _read(source, directory)
    if len(known) > 1:
        _write(source, known[-1:], directory)


def remembered(source: str, directory: str = records.DIRECTORY) -> str:
    """Return the text of an identity file with every key that is kept; empty where there is none."""
    return "".join(identity.text for identity in _read(source, directory))


def _path(source: str, directory: str) -> str:
    return os.path.join(directory, f"{source}.wal.identities")


def _read(source: str, directory: str) -> list[Identity]:
    path = _path(source, directory)
    text = files.read_text(path)
    if text is None:
        return []
    try:
        return [Identity(item["recipient"], item["identity"]) for item in json.loads(text)]
    except (ValueError, KeyError, TypeError):
        # What is in the file stays out of the message.
        raise ComposeOpsError(f"{path} is not a list of keys.", "Remove it and take a new backup.") from None


def _write(source: str, known: list[Identity], directory: str) -> None:
    content = json.dumps([{"recipient": one.recipient, "identity": one.text} for one in known], indent=2) + "\n"
    os.makedirs(directory, mode=0o700, exist_ok=True)
    files.write_atomically(_path(source, directory), content.encode(), mode=0o600, uid=os.geteuid(), gid=os.getegid())
