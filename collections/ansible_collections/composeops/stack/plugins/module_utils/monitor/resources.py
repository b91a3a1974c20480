# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the use of CPU, memory and disks raises an alert, and when that is over; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.composeops.stack.plugins.module_utils.monitor import words
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    ResourceState,
    State,
    Thresholds,
)
from ansible_collections.composeops.stack.plugins.module_utils.monitor.plan import Decision


def limit(thresholds: Thresholds, name: str) -> float:
    """Return the threshold of a resource: ``cpu``, ``memory``, or ``disk`` and its path."""
    return {"cpu": thresholds.cpu, "memory": thresholds.memory}.get(name, thresholds.disk)


def judge(thresholds: Thresholds, state: State, sample: Mapping[str, float], at: float) -> Decision:
    """Decide what one sample, percentages by resource, leads to.

    Between its threshold and the margin below it a resource keeps the state it has, so that one that moves around its
    threshold is reported once.
    """
    alerts: list[Alert] = []
    resources = dict(state.resources)
    for name, percent in sample.items():
        threshold = limit(thresholds, name)
        if not threshold:
            continue
        resources[name], alert = _judge(thresholds, name, resources.get(name, ResourceState()), percent, at)
        alerts += [alert] if alert else []
    return Decision(replace(state, resources=resources), tuple(alerts))


def _judge(
    thresholds: Thresholds, name: str, before: ResourceState, percent: float, at: float
) -> tuple[ResourceState, Alert | None]:
    threshold = limit(thresholds, name)
    if percent >= threshold:
        after = ResourceState(before.above + 1, before.alerted, before.since if before.above else at)
        if after.alerted or after.above < thresholds.failures:
            return after, None
        return replace(after, alerted=True), words.resource(name, percent, threshold, at - after.since, at)
    if not before.alerted:
        return ResourceState(), None
    if percent > threshold - thresholds.margin:
        return before, None
    return ResourceState(), words.resource_recovered(name, percent, threshold, at - before.since, at)


def watched(thresholds: Thresholds, name: str) -> bool:
    """Say whether a resource has a threshold."""
    path = name.removeprefix("disk ")
    return bool(limit(thresholds, name)) and (name in ("cpu", "memory") or path in thresholds.disks)
