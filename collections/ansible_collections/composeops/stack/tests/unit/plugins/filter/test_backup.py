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
KEYS = [
    "age1lmu00agu6qama7vkge3mpezyccf3a7v3mt5azm32kca2ywknxylqaxswas",
    "age1fwjsvp2e7gytagvwalzz5mfuj7yewltgap8pd4mw8qj3zqnyxpsswuwwt3",
]
GONE = {"name": "old", "state": "absent"}


def apply(name: str, *arguments: Any) -> Any:
    return FilterModule().filters()[name](*arguments)


def test_the_settings_leave_out_what_is_absent() -> None:
    made = FilterModule().filters()["backup_settings"]([REDIS, GONE], STORE, "h", recipients=KEYS, bandwidth="20M")
    assert json.loads(made) == {
        "host": "h",
        "store": STORE,
        "sources": [REDIS],
        "recipients": KEYS,
        "bandwidth": "20M",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({}, "backup_recipients names nobody", id="nobody"),
        pytest.param({"recipients": KEYS[:1]}, "backup_recipients: there is one", id="one"),
        pytest.param({"recipients": KEYS, "encrypt": False}, "no use with `backup_encrypt: false`", id="two words"),
        pytest.param({"recipients": KEYS, "bandwidth": "20MB"}, "backup_bandwidth '20MB' is no rate", id="no rate"),
    ],
)
def test_what_would_not_protect_is_refused_by_the_name_of_its_key(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AnsibleFilterError, match=message):
        FilterModule().filters()["backup_settings"]([REDIS], STORE, "h", **options)


@pytest.mark.parametrize(("sources", "encrypt"), [([REDIS], False), ([GONE], True), ([], True)])
def test_no_keys_are_needed_where_nothing_is_encrypted(sources: list[Any], encrypt: bool) -> None:
    made = FilterModule().filters()["backup_settings"](sources, STORE, "h", encrypt=encrypt)
    assert json.loads(made)["recipients"] == []


def test_a_share_of_the_processor_is_a_drop_in_of_the_unit() -> None:
    path = "/etc/systemd/system/composeops-backup@.service.d/cpu.conf"
    assert apply("backup_cpu_file", "") == {"path": path, "state": "absent"}
    assert apply("backup_cpu_file", "50%")["content"].endswith("[Service]\nCPUQuota=50%\n")
    with pytest.raises(AnsibleFilterError, match="backup_cpu_quota '50' is no share"):
        apply("backup_cpu_file", "50")


def test_settings_that_the_host_would_refuse_are_refused_here() -> None:
    with pytest.raises(AnsibleFilterError, match="type mysql is none of") as raised:
        FilterModule().filters()["backup_settings"]([{**REDIS, "type": "mysql"}], STORE, "h", encrypt=False)
    assert "hush-hush" not in str(raised.value)


def test_a_source_has_a_timer_for_its_backups_and_one_for_its_drills() -> None:
    backup, drill, *gone = apply("backup_timer_files", [REDIS, GONE])
    assert backup["path"] == "/etc/systemd/system/composeops-backup@redis.timer"
    assert "OnCalendar=hourly" in backup["content"]
    assert drill["path"] == "/etc/systemd/system/composeops-drill@redis.timer"
    assert "OnCalendar=Sun *-*-* 04:30:00" in drill["content"]
    assert gone == [
        {"path": f"/etc/systemd/system/composeops-{kind}@old.timer", "state": "absent"} for kind in ("backup", "drill")
    ]


def test_a_source_may_never_be_drilled() -> None:
    source = {**REDIS, "drill": "never"}
    assert [file.get("state") for file in apply("backup_timer_files", [source])] == [None, "absent"]
    assert [unit["enabled"] for unit in apply("backup_timer_units", [source])] == [True, False]


def test_timers_run_but_for_those_that_are_absent() -> None:
    units = apply("backup_timer_units", [REDIS, GONE])
    assert [(unit["name"], unit["enabled"], unit["state"]) for unit in units] == [
        ("composeops-backup@redis.timer", True, "started"),
        ("composeops-drill@redis.timer", True, "started"),
        ("composeops-backup@old.timer", False, "stopped"),
        ("composeops-drill@old.timer", False, "stopped"),
    ]
    assert units[0]["restart_on"] == ["/etc/systemd/system/composeops-backup@redis.timer"]
    assert units[1]["restart_on"] == ["/etc/systemd/system/composeops-drill@redis.timer"]


def test_the_services_that_keep_data_are_named_once_by_their_stack() -> None:
    files = {"name": "files", "type": "files", "stack": "petcare", "paths": ["/etc"]}
    other = {**REDIS, "name": "cache", "stack": "shop"}
    found = apply("backup_services", [REDIS, {**REDIS, "name": "again"}, files, other, GONE])
    assert found == {"petcare": ["redis"], "shop": ["redis"]}
