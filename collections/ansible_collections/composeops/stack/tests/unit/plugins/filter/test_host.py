"""Filters of the roles baseline and docker_engine."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.composeops.stack.plugins.filter.host import FilterModule

networks = FilterModule().filters()["networks"]
engine_settings = FilterModule().filters()["engine_settings"]


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
