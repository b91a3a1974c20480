# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is at work: the name under which a run is known in the lock, in a hold and in the audit log."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

LONGEST = 64


def operator(given: str, environment: Mapping[str, str] | None = None) -> str:
    """Return the name that was given, or on a console who logged in, before sudo."""
    environment = os.environ if environment is None else environment
    return _plain(given) or _plain(environment.get("SUDO_USER", "")) or _login()


def _plain(text: str) -> str:
    """Return a name as one line that a terminal shows as it is."""
    words = "".join(character if character.isprintable() else " " for character in text).split()
    return " ".join(words)[:LONGEST]


def _login() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
