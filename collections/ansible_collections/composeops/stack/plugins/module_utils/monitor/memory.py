# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the monitor remembers, on disk, so that a restart of the monitor forgets no outage and loses no alert."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    CheckState,
    Delivery,
    ResourceState,
    State,
    TargetState,
    WebhookState,
)

SCHEMA = 1


def path(directory: str) -> str:
    """Return the file of the state."""
    return os.path.join(directory, "state.json")


def lock_path(directory: str) -> str:
    """Return the lock that lets one monitor at a time write it."""
    return os.path.join(directory, "monitor.lock")


def read(directory: str) -> tuple[State, str]:
    """Return the state, and why it was forgotten where the file could not be read."""
    text = files.read_text(path(directory))
    if text is None:
        return State(), ""
    try:
        return parse(text), ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        # Watching goes before remembering: a monitor that does not start would watch nothing.
        aside = f"{path(directory)}.unreadable"
        os.replace(path(directory), aside)
        return State(), f"what was remembered cannot be read ({error}); it was moved to {aside}"


def write(directory: str, state: State) -> None:
    """Replace the state; 0600, for reasons may quote what services said."""
    files.write_atomically(path(directory), serialise(state).encode(), mode=0o600, uid=os.geteuid(), gid=os.getegid())


def serialise(state: State) -> str:
    """Return the file's content."""
    return json.dumps({"schema": SCHEMA, **asdict(state)}, sort_keys=True) + "\n"


def parse(text: str) -> State:
    """Return the state of a file's content; raise where it is of another shape."""
    content = json.loads(text)
    if content["schema"] != SCHEMA:
        raise ValueError(f"schema {content['schema']}, not {SCHEMA}")
    return State(
        checks={name: CheckState(**kept) for name, kept in content["checks"].items()},
        targets={name: _target(kept) for name, kept in content["targets"].items()},
        resources={name: ResourceState(**kept) for name, kept in content["resources"].items()},
        webhooks={name: WebhookState(**kept) for name, kept in content["webhooks"].items()},
        queue=tuple(Delivery(**{**kept, "alert": Alert(**kept["alert"])}) for kept in content["queue"]),
    )


def _target(kept: dict[str, Any]) -> TargetState:
    return TargetState(**{**kept, "restarts": tuple(float(at) for at in kept["restarts"])})
