# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secrets of a stack on its host: one file per stack, readable by root alone.

Secrets never travel to the controller: whoever needs one on the host reads it here by its name.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files

DIRECTORY = "/etc/composeops/secrets"
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

STACK_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")
"""What compose accepts as a project name; it also keeps a name from leaving the directory."""


def path(stack: str, directory: str = DIRECTORY) -> str:
    """Return the file that holds the secrets of ``stack``."""
    if not STACK_NAME.match(stack):
        raise InvalidInput(
            f"{stack!r} is not a stack name.",
            "Use lower-case letters, digits, dashes and underscores, beginning with a letter or digit.",
        )
    return os.path.join(directory, f"{stack}.json")


def read(stack: str, directory: str = DIRECTORY) -> dict[str, str]:
    """Return the secrets of ``stack`` by name; empty where none were written yet."""
    location = path(stack, directory)
    text = files.read_text(location)
    if text is None:
        return {}
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        # The text itself stays out of the message: it may be all secrets.
        raise ComposeOpsError(
            f"{location} is not a JSON object of texts.",
            "Restore it from a copy; do not delete it: data depends on it.",
        )
    return content


def get(stack: str, name: str, directory: str = DIRECTORY) -> str:
    """Return one secret; raise, naming it, where the host does not have it."""
    try:
        return read(stack, directory)[name]
    except KeyError:
        raise ComposeOpsError(
            f"Secret {name} of stack {stack} is not on this host ({path(stack, directory)}).",
            "List it under the stack's secrets and run playbooks/deploy.yml.",
        ) from None


def write(stack: str, values: Mapping[str, str], directory: str = DIRECTORY) -> None:
    """Replace the secrets of ``stack``, atomically and never readable by others."""
    location = path(stack, directory)
    os.makedirs(directory, mode=DIRECTORY_MODE, exist_ok=True)
    os.chmod(directory, DIRECTORY_MODE)
    content = json.dumps(dict(values), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    files.write_atomically(location, content.encode(), mode=FILE_MODE, uid=os.geteuid(), gid=os.getegid())


def fingerprint_key(directory: str = DIRECTORY, *, create: bool = False) -> bytes:
    """Return the host's key for fingerprints, made on first use with ``create``; empty where there is none yet."""
    location = os.path.join(directory, "fingerprint.key")
    key = files.read_bytes(location)
    if key is None and create:
        os.makedirs(directory, mode=DIRECTORY_MODE, exist_ok=True)
        key = secrets.token_bytes(32)
        files.write_atomically(location, key, mode=FILE_MODE, uid=os.geteuid(), gid=os.getegid())
    return key or b""


def fingerprint(key: bytes, value: str) -> str:
    """Return what tells that a secret changed without telling anything else about it, even a short one."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()
