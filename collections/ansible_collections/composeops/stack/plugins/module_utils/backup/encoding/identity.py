# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The private keys of age: the one that each backup gets of its own, and whether one opens a backup.

The host has no standing key. Each run makes one, encrypts to it as to the operator's, and keeps it, in place of the
one before, when its backup is committed: so the host can prove and restore its newest backup, whose data it serves
anyway, and none of its history.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.backup import records
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import NOT_FOUND, Runner

_PUBLIC = "# public key: "


@dataclass(frozen=True)
class Identity:
    """A private key of age, as the text of an identity file, and its public key."""

    recipient: str
    text: str

    def __repr__(self) -> str:
        return f"Identity({self.recipient!r})"


def generate(runner: Runner) -> Identity:
    """Make a new key."""
    text = runner.run(["age-keygen"]).stdout
    for line in text.splitlines():
        if line.startswith(_PUBLIC):
            return Identity(line[len(_PUBLIC) :], text)
    raise ComposeOpsError("age-keygen named no public key.", "Look at the version of the package age.")


def remember(source: str, backup_id: str, identity: Identity, directory: str = records.DIRECTORY) -> None:
    """Keep the key of the newest backup of ``source``, in place of the one before."""
    content = json.dumps({"id": backup_id, "identity": identity.text}) + "\n"
    path = _path(source, directory)
    files.write_atomically(path, content.encode(), mode=0o600, uid=os.geteuid(), gid=os.getegid())


def remembered(source: str, backup_id: str, directory: str = records.DIRECTORY) -> str | None:
    """Return the key of a backup that this host took itself, if it was its last one."""
    text = files.read_text(_path(source, directory))
    if text is None:
        return None
    try:
        kept = json.loads(text)
        return str(kept["identity"]) if kept["id"] == backup_id else None
    except (ValueError, KeyError, TypeError):
        # Its content stays out of the error.
        raise ComposeOpsError(
            f"{_path(source, directory)} is no kept key.", "Remove it, and give the operator's identity."
        ) from None


def given(path: str | None) -> str:
    """Return the text of the identity file that a person names, `-` for the input; nothing where none is named."""
    if path is None:
        return ""
    if path == "-":
        return sys.stdin.read()
    text = files.read_text(path)
    if text is None:
        raise InvalidInput(f"There is no identity file {path}.", "Name the one that age-keygen wrote.")
    return text


def require_fit(identity: str | None, recipients: Sequence[str], backup_id: str, runner: Runner) -> None:
    """Raise where ``identity`` opens nothing that is encrypted to ``recipients``, before anything is fetched."""
    named = ", ".join(recipients)
    if identity is None:
        raise ComposeOpsError(
            f"Backup {backup_id} is encrypted to {named}, and this host keeps the key of its own newest backup alone.",
            "Give the identity of one of these recipients: backup_identity in vault, or --identity-file.",
        )
    public = public_keys(identity, runner)
    if not set(public).intersection(recipients):
        raise ComposeOpsError(
            f"The identity of {', '.join(public)} does not open backup {backup_id}; it is encrypted to {named}.",
            "Give the identity of one of these.",
        )


def public_keys(identity: str, runner: Runner) -> list[str]:
    """Return the public keys of an identity file's text."""
    completed = runner.run(["age-keygen", "-y"], stdin=identity, check=False)
    if completed.returncode == NOT_FOUND:
        raise ComposeOpsError("age is not installed on this host.", "Run playbooks/site.yml, or: apt-get install age")
    if not completed.ok:
        # What age-keygen repeats of a malformed key is none of a log's business.
        raise ComposeOpsError("The identity is no identity file of age.", "Give what age-keygen wrote, unchanged.")
    return completed.stdout.split()


def _path(source: str, directory: str) -> str:
    return os.path.join(directory, f"{source}.identity")
