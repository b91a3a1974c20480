# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.filter.backup import FilterModule

STORE = {"bucket": "b", "access_key": "i", "secret_key": "hush-hush"}
REDIS = {"name": "redis", "type": "redis", "stack": "petcare", "service": "redis", "schedule": "hourly"}
GONE = {"name": "old", "state": "absent"}


def apply(name: str, *arguments: Any) -> Any:
    return FilterModule().filters()[name](*arguments)


def test_the_settings_leave_out_what_is_absent() -> None:
    assert json.loads(apply("backup_settings", [REDIS, GONE], STORE, "petcare1")) == {
        "host": "petcare1",
        "store": STORE,
        "sources": [REDIS],
    }


def test_settings_that_the_host_would_refuse_are_refused_here() -> None:
    with pytest.raises(AnsibleFilterError, match="type mysql is none of") as raised:
        apply("backup_settings", [{**REDIS, "type": "mysql"}], STORE, "petcare1")
    assert "hush-hush" not in str(raised.value)


def test_there_is_one_timer_for_each_source() -> None:
    present, gone = apply("backup_timer_files", [REDIS, GONE])
    assert present["path"] == "/etc/systemd/system/composeops-backup@redis.timer"
    assert "OnCalendar=hourly" in present["content"]
    assert gone == {"path": "/etc/systemd/system/composeops-backup@old.timer", "state": "absent"}


def test_timers_run_but_for_those_that_are_absent() -> None:
    path = "/etc/systemd/system/composeops-backup@{}.timer"
    assert apply("backup_timer_units", [REDIS, GONE]) == [
        {
            "name": "composeops-backup@redis.timer",
            "enabled": True,
            "state": "started",
            "restart_on": [path.format("redis")],
        },
        {
            "name": "composeops-backup@old.timer",
            "enabled": False,
            "state": "stopped",
            "restart_on": [path.format("old")],
        },
    ]
