# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a kind of source has to provide to be restored. A new kind is one more entry in ``restore.RESTORERS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.recovery import Recovery
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner


@dataclass(frozen=True)
class Job:
    """One restore: what of, into what, and with what."""

    source: Source
    manifest: Manifest
    runner: Runner
    stamp: str
    """Written into the names of what is kept aside."""
    state: str
    """The directory where this host remembers what is under way."""
    deadline: float
    """A reading of ``time.monotonic``."""
    recovery: Recovery | None = None
    """How to come to a moment, where a source can."""
    log: str = ""
    """The directory with the log that ``apply`` replays for it."""


@dataclass(frozen=True)
class Outcome:
    """What a restore left: where the data is that served before, how to remove it, and what was counted."""

    kept: str
    removal: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Restorer:
    """``examine`` raises where the restore cannot succeed, changes nothing and says what ``apply`` will do;
    ``apply`` does it with the backup's objects, whole and checked, at the given paths. ``replaced`` says what data is
    there that a restore would replace, or nothing; what cannot be asked is taken for data."""

    examine: Callable[[Job], list[str]]
    apply: Callable[[Job, Mapping[str, str]], Outcome]
    replaced: Callable[[Job], str]
