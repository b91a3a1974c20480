"""The bed's network never covers what the machine already reaches, and takes over its MTU."""

from __future__ import annotations

import ipaddress
import json

import pytest
from testbed import network
from testbed.errors import BedError
from testbed.state import NetworkRecord

NETWORK = NetworkRecord(name="n", bridge="b", subnet="10.213.7.0/24", mtu=1400)


def networks(*texts: str) -> list[ipaddress.IPv4Network]:
    return [ipaddress.IPv4Network(text) for text in texts]


@pytest.mark.parametrize(
    ("used", "chosen"),
    [
        pytest.param([], "10.213.7.0/24", id="nothing_used"),
        pytest.param(["10.213.7.0/24"], "10.213.77.0/24", id="first_taken"),
        pytest.param(["10.213.0.0/16"], "10.214.7.0/24", id="wider_route_covers_the_candidates"),
        pytest.param(["10.213.7.53/32"], "10.213.77.0/24", id="one_address_inside"),
        pytest.param(["172.17.0.0/16", "192.168.0.0/16"], "10.213.7.0/24", id="elsewhere"),
    ],
)
def test_subnet_overlaps_nothing_in_use(used: list[str], chosen: str) -> None:
    assert str(network.choose_subnet(networks(*used))) == chosen


def test_no_free_subnet_says_what_to_do() -> None:
    with pytest.raises(BedError) as caught:
        network.choose_subnet(networks("10.0.0.0/8"))
    assert "10.213.0.0" in caught.value.next_step


def test_routes_are_read_without_the_default_and_ipv6() -> None:
    routes = json.dumps([{"dst": "default"}, {"dst": "192.0.2.0/24"}, {"dst": "198.51.100.7"}, {"dst": "fe80::/64"}])
    assert network.routed(routes) == networks("192.0.2.0/24", "198.51.100.7/32")


def test_name_servers_are_kept_reachable() -> None:
    text = "# comment\nsearch example.com\nnameserver 10.213.7.53\nnameserver fd00::1\nnameserver 192.0.2.1 \n"
    assert network.nameservers(text) == networks("10.213.7.53/32", "192.0.2.1/32")


@pytest.mark.parametrize(
    ("routes", "mtu"),
    [
        pytest.param([{"dst": "default", "dev": "eth0"}], 1400, id="of_the_device"),
        pytest.param([{"dst": "default", "dev": "eth0", "metrics": [{"mtu": 1380}]}], 1380, id="of_the_route"),
        pytest.param([{"dst": "192.0.2.0/24", "dev": "eth0"}], 1500, id="without_a_default_route"),
        pytest.param([], 1500, id="without_routes"),
    ],
)
def test_mtu_is_the_default_routes(routes: list[dict[str, object]], mtu: int) -> None:
    links = [{"ifname": "lo", "mtu": 65536}, {"ifname": "eth0", "mtu": 1400}]
    assert network.default_mtu(json.dumps(routes), json.dumps(links)) == mtu


def test_hosts_get_the_lowest_free_place() -> None:
    assert network.host_number([20, 21, 23]) == 22


def test_a_full_bed_refuses_another_host() -> None:
    with pytest.raises(BedError, match="already has 90 hosts"):
        network.host_number(range(20, 110))


def test_hosts_and_their_acme_servers_never_share_an_address() -> None:
    host_numbers = set(range(network.FIRST_HOST_NUMBER, network.FIRST_HOST_NUMBER + network.MOST_HOSTS))
    acme_numbers = {number + network.ACME_OFFSET for number in host_numbers}
    services = {0, 1, network.REGISTRY_NUMBER, network.S3_NUMBER, 255}
    assert len(host_numbers | acme_numbers | services) == 2 * network.MOST_HOSTS + len(services)
    assert max(acme_numbers) < 255


def test_addresses_lie_in_the_subnet() -> None:
    assert network.address(NETWORK, 20) == "10.213.7.20"
