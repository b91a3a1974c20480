# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restarts and reloads that are owed, on disk from before the first change until the unit has taken it up.

Without this a run killed between writing a file and restarting its unit would leave the unit on the old file for ever,
as the next run finds nothing different.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import read_text, write_atomically

PATH = "/var/lib/composeops/pending-units.json"


def read() -> dict[str, str]:
    """Return the units that are owed something, each with "restart" or "reload"."""
    text = read_text(PATH)
    if text is None:
        return {}
    try:
        units = json.loads(text)["units"]
        return {str(name): str(verb) for name, verb in units.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComposeOpsError(
            f"{PATH} cannot be read: it is not the record of owed restarts it should be.",
            "Restart the units whose configuration changed last, then remove the file.",
        ) from error


def write(units: Mapping[str, str]) -> None:
    if not units:
        if os.path.exists(PATH):
            os.unlink(PATH)
        return
    os.makedirs(os.path.dirname(PATH), mode=0o755, exist_ok=True)
    text = json.dumps({"units": dict(sorted(units.items()))}, indent=2) + "\n"
    write_atomically(PATH, text.encode(), mode=0o644, uid=os.getuid(), gid=os.getgid())


def settle(names: Iterable[str]) -> None:
    """Take units off the record that are owed nothing any more."""
    names = set(names)
    owed = read()
    rest = {name: verb for name, verb in owed.items() if name not in names}
    if rest != owed:
        write(rest)


def merge(owed: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Return both records as one; a restart covers a reload."""
    merged = dict(owed)
    for name, verb in more.items():
        if merged.get(name) != "restart":
            merged[name] = verb
    return merged
