"""What the sample application says to Consul and reads in its answers; the real one is asked in the zviewer system."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sample import registration
from sample.config import from_environment
from sample.environment import ConfigError


def test_zvw_01_every_container_registers_an_instance_of_its_own() -> None:
    first, second = (registration.service("main-server", name, "1.0.0", "172.18.0.4", 3000) for name in ("a1", "b2"))
    assert (first["ID"], second["ID"]) == ("main-server-a1", "main-server-b2")
    assert (first["Name"], first["Address"], first["Port"]) == ("main-server", "172.18.0.4", 3000)


def test_zvw_01_consul_asks_for_its_health_and_forgets_the_dead() -> None:
    check = registration.service("main-server", "a1", "1.0.0", "172.18.0.4", 3000)["Check"]
    assert check["HTTP"] == "http://172.18.0.4:3000/health"
    assert (check["Interval"], check["DeregisterCriticalServiceAfter"]) == ("2s", "1m")


def test_zvw_01_instances_are_read_with_address_port_and_version() -> None:
    found = registration.instances(
        [
            {
                "Node": {"Address": "127.0.0.1"},
                "Service": {"Address": "172.18.0.4", "Port": 3000, "Meta": {"version": "2"}},
            },
            {"Node": {"Address": "10.0.0.9"}, "Service": {"Address": "", "Port": 80, "Meta": None}},
        ]
    )
    assert found == [registration.Instance("172.18.0.4", 3000, "2"), registration.Instance("10.0.0.9", 80, "")]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param([{"Value": base64.b64encode(b"dark").decode()}], "dark", id="value"),
        pytest.param([{"Value": None}], "", id="empty-value"),
        pytest.param(None, None, id="no-key"),
        pytest.param([], None, id="nothing"),
        pytest.param([{}], None, id="not-an-entry"),
    ],
)
def test_zvw_01_value_of_a_key(entries: list[dict[str, Any]] | None, expected: str | None) -> None:
    assert registration.value(entries) == expected


@pytest.mark.parametrize(
    ("before", "answered", "expected"),
    [
        pytest.param(0, "7", 7, id="first"),
        pytest.param(7, "9", 9, id="newer"),
        pytest.param(9, "3", 0, id="consul-started-anew"),
        pytest.param(9, "", 0, id="no-index"),
    ],
)
def test_zvw_01_watch_goes_on_from_the_index(before: int, answered: str, expected: int) -> None:
    assert registration.next_index(before, answered) == expected


@pytest.mark.parametrize("given", ["consul:8500", "http://consul:8500", "http://consul:8500/"])
def test_zvw_01_address_of_consul(given: str) -> None:
    consul = from_environment({"CONSUL_HTTP_ADDR": given, "SAMPLE_SERVICE": "media-service"}).consul
    assert consul is not None
    assert (consul.url, consul.key) == ("http://consul:8500", "config/media-service")


def test_zvw_01_watched_key_can_be_named() -> None:
    consul = from_environment({"CONSUL_HTTP_ADDR": "c:1", "CONSUL_CONFIG_KEY": "shared"}).consul
    assert consul is not None
    assert consul.key == "shared"


def test_without_an_address_there_is_no_consul() -> None:
    assert from_environment({}).consul is None


@pytest.mark.parametrize("given", ["ftp://consul:8500", "http://", "consul:8500/v1"])
def test_wrong_address_of_consul_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="CONSUL_HTTP_ADDR: write consul:8500"):
        from_environment({"CONSUL_HTTP_ADDR": given})
