# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How much is kept of each source: what an operator writes, held to what makes sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.backup import plan
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

PERIODS = {"hourly": "%Y-%m-%d %H", "daily": "%Y-%m-%d", "weekly": "%G week %V", "monthly": "%Y-%m", "yearly": "%Y"}
"""The kinds of slots, and what two backups of the same slot have in common; all in UTC."""

_REMEDY = "Correct backup_retention."


@dataclass(frozen=True)
class Policy:
    """What is kept of one source, beside what no policy gives up.

    A slot is an hour, a day, a week, a month or a year of which there is a backup. Periods without one take no slot,
    so that nothing ages while no backups are taken.
    """

    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    minimum_age: timedelta = timedelta(days=1)
    """A younger one is kept whatever the slots say."""
    point_in_time: timedelta = timedelta(days=7)
    """How far back the log of writes reaches, of sources that have one, from its newest segment."""

    def slots(self, kind: str) -> int:
        return int(getattr(self, kind))


@dataclass(frozen=True)
class Policies:
    """The policy of all sources, and of those that have one of their own."""

    general: Policy
    special: Mapping[str, Policy] = field(default_factory=dict)

    def of(self, source: str) -> Policy:
        return self.special.get(source, self.general)


def period(kind: str, moment: datetime) -> str:
    """Return which hour, day, week, month or year ``moment`` is in."""
    return moment.strftime(PERIODS[kind])


def parse(given: Mapping[str, Any], what: str = "backup_retention") -> Policy:
    """Return a policy from what the inventory says; ``what`` names it in errors."""
    counts: dict[str, Any] = {kind: given.get(kind) or 0 for kind in PERIODS}
    for kind, count in counts.items():
        if count < 0:
            raise InvalidInput(f"{what}.{kind} is {count}, less than none.", _REMEDY)
    if not any(counts.values()):
        raise InvalidInput(
            f"{what} keeps no backup by its age: {', '.join(PERIODS)} are all 0.", "Say how many of them are kept."
        )
    spans: dict[str, Any] = {
        name: plan.duration(given[name]) for name in ("minimum_age", "point_in_time") if given.get(name)
    }
    return Policy(**counts, **spans)


def parse_all(given: Mapping[str, Any]) -> Policies:
    """Return the policies of an inventory: the general one, and those of its ``sources``, which replace it whole."""
    listed: Sequence[Mapping[str, Any]] = given.get("sources") or ()
    names = [str(item["name"]) for item in listed]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"backup_retention.sources has {name} twice.", _REMEDY)
    special = {str(item["name"]): parse(item, f"backup_retention.sources, {item['name']}") for item in listed}
    return Policies(parse(given), special)
