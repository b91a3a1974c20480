"""INT-04: what the container tells the health monitor, read by the monitor itself."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.monitor.model import Target
from ansible_collections.composeops.stack.plugins.module_utils.monitor.settings import load, parse
from integrated import monitoring
from sample.environment import ConfigError

ENVIRONMENT = {"DB_HOST": "postgres"}
HOOK = "https://hooks.invalid/secret"


def test_int_04_backend_and_frontend_are_asked_every_30_seconds_and_restarted_by_supervisor() -> None:
    settings = parse(monitoring.settings(ENVIRONMENT))
    watched = {name: (rule.interval, rule.failures, rule.target) for name, rule in settings.rules.items()}
    assert watched["backend"] == (30, 3, Target("supervisor", program="backend"))
    assert watched["frontend"] == (30, 3, Target("supervisor", program="frontend"))
    assert settings.start_delay == 30
    usage = settings.thresholds
    assert (usage.cpu, usage.memory, usage.disk, usage.disks) == (90, 90, 90, ("/var/log/app",))


def test_backend_without_its_database_is_not_restarted() -> None:
    settings = parse(monitoring.settings(ENVIRONMENT))
    assert settings.rules["backend"].needs == ("database",)
    assert settings.rules["database"].target is None


def test_url_of_the_webhook_stays_in_its_file(tmp_path: Path) -> None:
    secret, written = tmp_path / "hook", tmp_path / "monitor.json"
    secret.write_text(f"{HOOK}\n")
    content = monitoring.settings({**ENVIRONMENT, "ALERT_WEBHOOK_URL_FILE": str(secret)})
    monitoring.write(written, content)
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert HOOK not in written.read_text()
    assert [(hook.format, hook.url) for hook in load(str(written)).webhooks] == [("slack", HOOK)]


def test_intervals_come_from_the_environment() -> None:
    given = {"MONITOR_INTERVAL": "1", "MONITOR_RETRY_INTERVAL": "0.5", "MONITOR_START_DELAY": "2", "MONITOR_GRACE": "5"}
    settings = parse(monitoring.settings({**ENVIRONMENT, **given}))
    rule = settings.rules["backend"]
    assert (rule.interval, rule.retry_interval, settings.start_delay, settings.policy.grace) == (1, 0.5, 2, 5)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ALERT_WEBHOOK_FORMAT", "teams"), ("MONITOR_INTERVAL", "soon"), ("MONITOR_CPU_PERCENT", "most")],
)
def test_what_cannot_be_meant_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        monitoring.settings({**ENVIRONMENT, name: value})
