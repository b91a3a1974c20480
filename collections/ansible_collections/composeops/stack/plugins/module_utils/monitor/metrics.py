# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the monitor knows, as Prometheus' text format for the node exporter's textfile collector; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    CheckState,
    Settings,
    State,
    TargetState,
    WebhookState,
)

PREFIX = "composeops_monitor"


@dataclass(frozen=True)
class LastRun:
    """The last time a check was carried out."""

    ok: bool
    at: float
    seconds: float


def render(
    settings: Settings, state: State, runs: Mapping[str, LastRun], sample: Mapping[str, float], now: float
) -> str:
    """Return the text of the file."""
    rules = {name: settings.rules[name] for name in runs if name in settings.rules}
    checks = {name: (_labels(check=name, type=rule.check.type), runs[name]) for name, rule in rules.items()}
    known = {name: state.checks.get(name, CheckState()) for name in checks}
    targets = {rule.target.name for rule in settings.rules.values() if rule.target}
    lines = [
        *_metric(
            "check_up",
            "gauge",
            "Whether the check passed when it was last carried out.",
            ((labels, int(run.ok)) for labels, run in checks.values()),
        ),
        *_metric(
            "check_failures",
            "gauge",
            "Failures in a row.",
            ((labels, known[name].failures) for name, (labels, _run) in checks.items()),
        ),
        *_metric(
            "check_failures_total",
            "counter",
            "Failures so far.",
            ((labels, known[name].failures_total) for name, (labels, _run) in checks.items()),
        ),
        *_metric(
            "check_seconds",
            "gauge",
            "How long the check took.",
            ((labels, run.seconds) for labels, run in checks.values()),
        ),
        *_metric(
            "check_timestamp_seconds",
            "gauge",
            "When the check was last carried out.",
            ((labels, run.at) for labels, run in checks.values()),
        ),
        *_metric(
            "restarts_total",
            "counter",
            "Restarts so far.",
            ((_labels(target=name), state.targets.get(name, TargetState()).restarts_total) for name in sorted(targets)),
        ),
        *_metric(
            "alerts_delivered_total",
            "counter",
            "Alerts that a webhook took.",
            (
                (_labels(webhook=hook.name), state.webhooks.get(hook.name, WebhookState()).delivered)
                for hook in settings.webhooks
            ),
        ),
        *_metric(
            "alerts_dropped_total",
            "counter",
            "Alerts that a webhook never took.",
            (
                (_labels(webhook=hook.name), state.webhooks.get(hook.name, WebhookState()).dropped)
                for hook in settings.webhooks
            ),
        ),
        *_metric(
            "alerts_waiting",
            "gauge",
            "Alerts that wait for a webhook.",
            (
                (_labels(webhook=hook.name), sum(delivery.webhook == hook.name for delivery in state.queue))
                for hook in settings.webhooks
            ),
        ),
        *_metric(
            "resource_percent",
            "gauge",
            "Use of a resource of the host.",
            ((_labels(resource=name), percent) for name, percent in sample.items()),
        ),
        *_metric("timestamp_seconds", "gauge", "When this was written.", [("", now)]),
    ]
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, help_text: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    rows = [
        f"{PREFIX}_{name}{labels} {value if isinstance(value, int) else round(value, 3)}" for labels, value in samples
    ]
    return [f"# HELP {PREFIX}_{name} {help_text}", f"# TYPE {PREFIX}_{name} {kind}", *rows] if rows else []


def _labels(**labels: str) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
