"""The text file for Prometheus."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.monitor import metrics
from ansible_collections.composeops.stack.plugins.module_utils.monitor.metrics import LastRun
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import (
    Alert,
    CheckState,
    Delivery,
    State,
    TargetState,
    WebhookState,
)
from ansible_collections.composeops.stack.plugins.module_utils.monitor.settings import parse

SETTINGS = parse(
    {
        "checks": [
            {"name": "api", "type": "tcp", "host": "h", "port": 1},
            {"name": 'odd "\\', "type": "tcp", "host": "h", "port": 1},
            {"name": "never ran", "type": "tcp", "host": "h", "port": 1},
        ],
        "rules": [{"check": "api", "restart": "docker", "stack": "shop", "service": "api"}],
        "webhooks": [{"name": "ops", "url": "https://hooks.invalid/secret"}],
    }
)
STATE = State(
    checks={"api": CheckState(failures=2, failures_total=7)},
    targets={"shop/api": TargetState(restarts_total=3)},
    webhooks={"ops": WebhookState(5, 1)},
    queue=(Delivery("ops", Alert("failing", "api", "t", "x", 1.0)),),
)
RUNS = {"api": LastRun(False, 1700000000.25, 0.0123), 'odd "\\': LastRun(True, 1700000001.0, 1.0)}


def test_every_number_is_there() -> None:
    text = metrics.render(SETTINGS, STATE, RUNS, {"disk /": 41.5}, 1700000002.0)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == [
        'composeops_monitor_check_up{check="api",type="tcp"} 0',
        'composeops_monitor_check_up{check="odd \\"\\\\",type="tcp"} 1',
        'composeops_monitor_check_failures{check="api",type="tcp"} 2',
        'composeops_monitor_check_failures{check="odd \\"\\\\",type="tcp"} 0',
        'composeops_monitor_check_failures_total{check="api",type="tcp"} 7',
        'composeops_monitor_check_failures_total{check="odd \\"\\\\",type="tcp"} 0',
        'composeops_monitor_check_seconds{check="api",type="tcp"} 0.012',
        'composeops_monitor_check_seconds{check="odd \\"\\\\",type="tcp"} 1.0',
        'composeops_monitor_check_timestamp_seconds{check="api",type="tcp"} 1700000000.25',
        'composeops_monitor_check_timestamp_seconds{check="odd \\"\\\\",type="tcp"} 1700000001.0',
        'composeops_monitor_restarts_total{target="shop/api"} 3',
        'composeops_monitor_alerts_delivered_total{webhook="ops"} 5',
        'composeops_monitor_alerts_dropped_total{webhook="ops"} 1',
        'composeops_monitor_alerts_waiting{webhook="ops"} 1',
        'composeops_monitor_resource_percent{resource="disk /"} 41.5',
        "composeops_monitor_timestamp_seconds 1700000002.0",
    ]
    assert text.endswith("\n")
    assert "secret" not in text


def test_metric_is_described_once_and_only_with_samples() -> None:
    text = metrics.render(SETTINGS, State(), {}, {}, 1.0)
    assert "composeops_monitor_check_up" not in text
    assert text.count("# TYPE composeops_monitor_restarts_total counter") == 1
    assert 'composeops_monitor_restarts_total{target="shop/api"} 0' in text
