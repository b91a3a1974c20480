"""Filters of the roles baseline and docker_engine."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.filter.host import FilterModule

FILTERS = FilterModule().filters()
networks = FILTERS["networks"]
engine_settings = FILTERS["engine_settings"]


def test_networks_and_addresses_of_both_families() -> None:
    given = ["192.0.2.7", "10.0.0.0/8", "2001:DB8::/32", "::1"]
    assert networks(given, "x") == ["192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32", "::1/128"]


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "office.example.com", "10.0.0.0/33", "", "10.0.0.1\nbantime = 1"])
def test_what_is_no_network_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"baseline_ban_ignored: .* is no network: .*Write one such as"):
        networks(["10.0.0.0/8", wrong], "baseline_ban_ignored")


def test_settings_of_the_engine_pass_unless_they_open_the_host() -> None:
    assert engine_settings({"live-restore": True}) == {"live-restore": True}
    with pytest.raises(AnsibleFilterError, match="whoever reaches it is root"):
        engine_settings({"hosts": ["tcp://0.0.0.0:2375"]})


@pytest.mark.parametrize("time", ["00:00", "03:00", "23:59"])
def test_a_time_of_day(time: str) -> None:
    assert FILTERS["time_of_day"](time, "x") == time


@pytest.mark.parametrize("time", ["24:00", "3:00", "03:60", "3 am", "03:00;", "03:00\n", "now"])
def test_what_is_no_time_of_day_is_refused(time: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"baseline_reboot_window: .* is no time of day"):
        FILTERS["time_of_day"](time, "baseline_reboot_window")


@pytest.mark.parametrize("name", ["C", "C.UTF-8", "de_DE.UTF-8", "ca_ES.UTF-8@valencia", "fil_PH.utf8"])
def test_a_locale(name: str) -> None:
    assert FILTERS["locale"](name) == name


@pytest.mark.parametrize("name", ["de_DE", "de_DE.ISO-8859-1", "german", "C.UTF-8\nPATH=/tmp", ""])
def test_what_is_no_locale_of_utf8_is_refused(name: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"baseline_locale: .* is no locale"):
        FILTERS["locale"](name)


def test_rules_of_auditctl() -> None:
    rules = ["-w /etc/hosts -p wa -k names", "-a always,exit -F arch=b64 -S mount -F key=mounts"]
    assert FILTERS["audit_rules"](rules) == rules


@pytest.mark.parametrize("rule", ["/etc/hosts", "-D", "-e 0", "-w /etc/hosts\n-D", ""])
def test_what_is_no_rule_is_refused(rule: str) -> None:
    with pytest.raises(AnsibleFilterError, match=r"baseline_audit_rules: .* is no rule"):
        FILTERS["audit_rules"]([rule])


def test_drop_ins_of_units() -> None:
    assert FILTERS["drop_in_directories"](["a.service"]) == [{"path": "/etc/systemd/system/a.service.d"}]
    assert FILTERS["drop_in_files"](["a.service"], "x.conf", "oom.conf") == [
        {"path": "/etc/systemd/system/a.service.d/x.conf", "source": "oom.conf"}
    ]
