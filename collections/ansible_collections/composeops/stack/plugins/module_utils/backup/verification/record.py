# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A verification, as the object in the bucket that tells of it: written once, never changed, JSON for every language.

Its name says level and outcome, so that a listing is enough to know them; what is in it is for people and for metrics.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

SCHEMA = 1
PASSED = "passed"
FAILED = "failed"


@dataclass(frozen=True)
class Verification:
    """What was found. ``level`` is the one that was reached, or the one that failed."""

    backup: str
    source: str
    backup_host: str
    """The host that made the backup."""
    host: str
    """The host that verified it."""
    level: Level
    outcome: str
    started: str
    finished: str
    image: str = ""
    """What it was restored into: the id, or the digest, of the image; empty where there was no container."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each step took."""
    rto_seconds: float | None = None
    """How long it took from the first byte fetched to data that serves; None where nothing was restored."""
    proven: tuple[str, ...] = ()
    """What was compared, one sentence each."""
    error: str = ""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What else the operator of this run should know; it is in no object."""

    @property
    def passed(self) -> bool:
        return self.outcome == PASSED


def serialise(verification: Verification) -> bytes:
    """Return the object's content."""
    content = {"schema": SCHEMA, **asdict(verification), "level": verification.level.value}
    del content["notes"]
    return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()


def parse(content: bytes, key: str) -> Verification:
    """Return the verification in ``content``, found at ``key``."""
    try:
        data: dict[str, Any] = json.loads(content)
        schema = data.pop("schema")
        if schema != SCHEMA:
            raise ComposeOpsError(
                f"{key} has schema {schema}; this version reads {SCHEMA}.", "Use the version that wrote it, or a newer."
            )
        return Verification(**{**data, "level": Level(data["level"]), "proven": tuple(data["proven"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComposeOpsError(f"{key} is not a verification: {error}.", "Verify the backup again.") from error
