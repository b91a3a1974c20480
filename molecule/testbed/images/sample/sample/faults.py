"""Failure switches: what the application is told to do wrong. Pure: `chaos.py` does it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from sample.environment import Environment, boolean, number, text

# Seconds, some thirty years: longer than any test, and what a timer can still be set to.
LARGEST = 1_000_000_000


class FaultError(Exception):
    """A change of the switches that is not understood; nothing was changed."""


@dataclass(frozen=True)
class Faults:
    unhealthy: bool = False
    """/health answers 503; everything else works."""
    error_rate: float = 0.0
    """Share of requests below `path` that are answered with 500, from 0 to 1."""
    delay: float = 0.0
    """Seconds added to every answer below `path`."""
    path: str = "/"
    """Where `error_rate` and `delay` apply."""
    freeze: float = 0.0
    """Seconds for which the process answers nothing at all, not even SIGTERM."""
    crash_after: float | None = None
    """Seconds until the process dies with exit code 1; 0 is at once."""
    leak: float = 0.0
    """MiB per second that are allocated and kept."""
    version: str = ""
    """Reported instead of the real version."""
    ignore_sigterm: bool = False
    """Only SIGKILL ends the process."""
    fail_migration: bool = False
    """`sample migrate` fails and rolls back."""

    def concerns(self, path: str) -> bool:
        below = self.path.rstrip("/")
        return path == below or path.startswith(f"{below}/")

    def fails(self, path: str, roll: float) -> bool:
        """`roll` is a random number from 0 up to, not including, 1."""
        return self.concerns(path) and roll < self.error_rate

    def seconds_added(self, path: str) -> float:
        return self.delay if self.concerns(path) else 0.0


NONE = Faults()


def from_environment(env: Environment) -> Faults:
    def seconds(name: str) -> float:
        return number(env, f"SAMPLE_FAULT_{name}", 0.0)

    faults = {
        "unhealthy": boolean(env, "SAMPLE_FAULT_UNHEALTHY"),
        "error_rate": seconds("ERROR_RATE"),
        "delay": seconds("DELAY"),
        "path": text(env, "SAMPLE_FAULT_PATH", "/"),
        "freeze": seconds("FREEZE"),
        "crash_after": seconds("CRASH_AFTER") if text(env, "SAMPLE_FAULT_CRASH_AFTER") else None,
        "leak": seconds("LEAK"),
        "version": text(env, "SAMPLE_FAULT_VERSION"),
        "ignore_sigterm": boolean(env, "SAMPLE_FAULT_IGNORE_SIGTERM"),
        "fail_migration": boolean(env, "SAMPLE_FAULT_MIGRATION"),
    }
    return changed(NONE, faults)


def changed(faults: Faults, changes: Mapping[str, object]) -> Faults:
    """The switches after a change; a switch that is not named keeps its value."""
    known = {item.name for item in dataclasses.fields(Faults)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise FaultError(f"unknown switch {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    for name, value in changes.items():
        _check(name, value)
    return dataclasses.replace(faults, **changes)  # type: ignore[arg-type]  # just checked


def _check(name: str, value: object) -> None:
    default = getattr(NONE, name)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise FaultError(f"{name}: write true or false")
    elif isinstance(default, str):
        if not isinstance(value, str):
            raise FaultError(f"{name}: write text")
        if name == "path" and not value.startswith("/"):
            raise FaultError("path: it must start with a slash")
    elif value is not None or default is not None:
        _check_number(name, value)


def _check_number(name: str, value: object) -> None:
    # Written this way round so that nan is refused too.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= LARGEST:
        raise FaultError(f"{name}: write a number from 0 to {LARGEST}")
    if name == "error_rate" and value > 1:
        raise FaultError("error_rate: write a share from 0 to 1")
