"""What is there when a run has died after a step, as docs/releases.md tells, and what the next run makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MIGRATION: Mapping[str, Any] = {"service": "backend", "command": ["migrate"]}
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "pull": {"pull": "always"},
    "backup": {"migration": {**MIGRATION, "backup": ["database"]}},
    "migrate": {"migration": MIGRATION},
    # A release that has just started on a busy machine answers slower; how latency is judged is not the subject here.
    "canary": {"rollout": {"canary": {"steps": [50], "hold": 2, "requests": 5, "latency": 20}}},
    "websockets": {"rollout": {"websockets": 1}},
}
"""What has to be asked for, where a step would otherwise have nothing to do."""


@dataclass(frozen=True)
class Death:
    """What is there after it, and what the next run is asked for."""

    new_runs: bool = False
    """Whether containers of the new release are there."""
    new_serves: bool = False
    committed: bool = False
    """Whether the record names the new release."""
    old_stopped: bool = False
    """Whether the containers of the release before are gone."""
    again: bool = False
    """Whether the next run repeats the release; otherwise it deploys what serves, which undoes it."""


_COMMITTED = Death(new_runs=True, new_serves=True, committed=True, again=True)
_STOPPED = Death(new_runs=True, new_serves=True, committed=True, old_stopped=True, again=True)

ELSEWHERE = ("consumers",)
"""Pet-care has no worker: tests/integration/test_release.py kills a run there."""

DEATHS: Mapping[str, Death] = {
    "recover": Death(),
    "pull": Death(),
    "backup": Death(),
    "base": Death(),
    "migrate": Death(),
    "start": Death(new_runs=True),
    "gate": Death(new_runs=True, again=True),
    "canary": Death(new_runs=True),
    "switch": Death(new_runs=True, new_serves=True, again=True),
    "commit": _COMMITTED,
    "watch": _COMMITTED,
    "drain": _COMMITTED,
    "websockets": _COMMITTED,
    "stop": _STOPPED,
    "prune": _STOPPED,
}
