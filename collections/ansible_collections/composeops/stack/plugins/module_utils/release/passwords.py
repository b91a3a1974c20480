# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds passwords that a compose file spells out; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.secrets.strength import weakness

_NAME = re.compile(r"(?:PASSWORD|PASSWD|PASSPHRASE|PASS|SECRET|TOKEN|API_KEY|SECRET_KEY|PRIVATE_KEY)$", re.IGNORECASE)
_OPTION = re.compile(r"(?:^|\s)(--?(?:requirepass|masterauth|password|passwd|pass))[=\s]+(\S+)")
_URL = re.compile(r"://[^:/@\s]*:([^@/\s]+)@")


def spelled_out(definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a service's definition spells out a password, and the password.

    A reference to a secret, or to a file or variable inside the container, has a dollar sign and is none.
    """
    for name, value in (definition.get("environment") or {}).items():
        text = str(value or "")
        if text and "$" not in text and _NAME.search(name):
            yield name, text
        for password in _URL.findall(text):
            if "$" not in password:
                yield f"the address in {name}", password
    for key in ("command", "entrypoint"):
        words = definition.get(key) or []
        text = words if isinstance(words, str) else " ".join(str(word) for word in words)
        for option, password in _OPTION.findall(text):
            if "$" not in password:
                yield f"{option} of its {key}", password


def is_name_of_password(name: str) -> bool:
    """Whether a variable is called as one that holds a password."""
    return _NAME.search(name) is not None


def default_password(value: str) -> str | None:
    """Return why a password that was found is none, or None where it may be one."""
    return weakness(value, 1)
