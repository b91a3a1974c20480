# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The configuration that the role writes is one that the monitor reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.filter.monitor import FilterModule
from ansible_collections.composeops.stack.plugins.module_utils.monitor import settings

ROLE = Path(__file__).resolve().parents[8] / "roles/monitor"
API = {"name": "api", "type": "http", "url": "http://127.0.0.1/"}
monitor_settings = FilterModule().filters()["monitor_settings"]


def test_text_is_what_the_monitor_reads() -> None:
    content: dict[str, Any] = {"checks": [API], "rules": [{"check": "api", "restart": "systemd", "unit": "a.service"}]}
    text = monitor_settings(content)
    assert json.loads(text) == content
    target = settings.parse(json.loads(text)).rules["api"].target
    assert target is not None
    assert target.unit == "a.service"


def test_file_on_the_host_is_not_looked_for_here() -> None:
    hook = {"name": "a", "format": "slack", "url_file": "/on/the/host"}
    assert "/on/the/host" in monitor_settings({"checks": [API], "webhooks": [hook]})


def test_wrong_variable_is_refused_before_it_reaches_the_host() -> None:
    with pytest.raises(AnsibleFilterError, match=r"which is not declared\. Correct the monitor_\* variables"):
        monitor_settings({"checks": [API], "rules": [{"check": "nope"}]})


def test_role_tells_the_monitor_every_option_and_none_that_it_does_not_know() -> None:
    told = set(yaml.safe_load((ROLE / "vars/main.yml").read_text())["__monitor_content"])
    read = {
        "host", "checks", "ca", "interval", "retry_interval", "failures", "start_delay", "rules", "restarts_per_hour",
        "backoff", "grace", "webhooks", "webhook_ca", "thresholds", "supervisor_url", "metrics_file",
    }  # fmt: skip
    # The directory of the state is the unit's, too, and no choice.
    assert told == read
    assert settings.parse(dict.fromkeys(read) | {"checks": [API]}).rules


@pytest.mark.parametrize(
    ("rules", "capabilities"),
    [
        ([], "CapabilityBoundingSet="),
        ([{"check": "api", "restart": "docker"}, {"check": "b"}], "CapabilityBoundingSet="),
        ([{"check": "b"}, {"check": "api", "restart": "systemd"}], "CapabilityBoundingSet=CAP_SYS_ADMIN"),
    ],
    ids=["none", "docker", "systemd"],
)
def test_unit_gets_what_its_rules_need_and_no_more(rules: list[dict[str, str]], capabilities: str) -> None:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)  # noqa: S701 (no HTML)
    environment.filters["dirname"] = os.path.dirname
    template = environment.from_string((ROLE / "templates/composeops-monitor.service.j2").read_text())
    lines = template.render(monitor_rules=rules, monitor_metrics_file="/srv/metrics/a.prom").splitlines()
    assert capabilities in lines
    assert "ReadWritePaths=/var/lib/composeops /var/log/composeops /srv/metrics" in lines
    assert [line for line in lines if "{" in line] == []
