"""The bed's network: one bridge, a free subnet, the machine's MTU, fixed places for everything."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import docker
from docker.types import IPAMConfig, IPAMPool

from testbed import names
from testbed.errors import BedError
from testbed.runner import run
from testbed.state import NetworkRecord, State, StateDirectory
from testbed.steps import UNCHANGED

REGISTRY_NUMBER = 10
S3_NUMBER = 11
FIRST_HOST_NUMBER = 20
MOST_HOSTS = 90
ACME_OFFSET = 100
DEFAULT_MTU = 1500


def candidates() -> Iterator[ipaddress.IPv4Network]:
    """10.213.7.0/24 and on: a corner of the private ranges that is rarely in use."""
    for second in range(213, 250):
        for third in (7, 77, 177):
            yield ipaddress.IPv4Network(f"10.{second}.{third}.0/24")


def choose_subnet(used: Iterable[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """The first candidate that overlaps nothing this machine can already reach or asks for names."""
    taken = list(used)
    for candidate in candidates():
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise BedError(
        "No free subnet is left for the bed.", "Remove a route or a Docker network in 10.213.0.0 to 10.249.255.255."
    )


def routed(routes: str) -> list[ipaddress.IPv4Network]:
    """Networks from `ip -json route show table all`; the default route is none."""
    return [
        ipaddress.IPv4Network(route["dst"], strict=False)
        for route in json.loads(routes or "[]")
        if re.fullmatch(r"[0-9.]+(/[0-9]+)?", route.get("dst", ""))
    ]


def nameservers(resolv_conf: str) -> list[ipaddress.IPv4Network]:
    """The name servers as networks of one: a subnet that covered them would cut the machine off."""
    found = re.findall(r"^nameserver\s+([0-9.]+)\s*$", resolv_conf, flags=re.MULTILINE)
    return [ipaddress.IPv4Network(address) for address in found]


def engine_networks(client: docker.DockerClient) -> list[ipaddress.IPv4Network]:
    subnets = [
        pool.get("Subnet", "")
        for network in client.networks.list()
        for pool in (network.attrs.get("IPAM", {}).get("Config") or [])
    ]
    return [ipaddress.IPv4Network(subnet) for subnet in subnets if subnet and ":" not in subnet]


def default_mtu(routes: str, links: str) -> int:
    """The MTU of the default route, or of the device it goes out by."""
    for route in json.loads(routes or "[]"):
        if route.get("dst") == "default":
            if "metrics" in route and route["metrics"][0].get("mtu"):
                return int(route["metrics"][0]["mtu"])
            for link in json.loads(links or "[]"):
                if link.get("ifname") == route.get("dev"):
                    return int(link.get("mtu", DEFAULT_MTU))
    return DEFAULT_MTU


def address(network: NetworkRecord, number: int) -> str:
    return str(ipaddress.IPv4Network(network.subnet)[number])


def host_number(taken: Iterable[int]) -> int:
    """The lowest free place for a host."""
    used = set(taken)
    for number in range(FIRST_HOST_NUMBER, FIRST_HOST_NUMBER + MOST_HOSTS):
        if number not in used:
            return number
    raise BedError(f"The bed already has {MOST_HOSTS} hosts.", "Remove one: `bed host remove NAME`.")


def ensure(client: docker.DockerClient, directory: StateDirectory, state: State) -> str:
    """The network as recorded, or a new one."""
    record = state.network
    if record is None:
        routes = run(("ip", "-4", "-json", "route", "show", "table", "all"))
        used = [
            *routed(routes),
            *nameservers(Path("/etc/resolv.conf").read_text(encoding="utf-8")),
            *engine_networks(client),
        ]
        record = NetworkRecord(
            name=names.network(state.id),
            bridge=names.bridge(state.id),
            subnet=str(choose_subnet(used)),
            mtu=default_mtu(run(("ip", "-4", "-json", "route", "show")), run(("ip", "-json", "link", "show"))),
        )
        state.network = record
        directory.save(state)
    if client.networks.list(names=[f"^{record.name}$"]):
        return UNCHANGED
    client.networks.create(
        record.name,
        driver="bridge",
        ipam=IPAMConfig(pool_configs=[IPAMPool(subnet=record.subnet, gateway=address(record, 1))]),
        options={
            "com.docker.network.bridge.name": record.bridge,
            "com.docker.network.driver.mtu": str(record.mtu),
        },
        labels=names.labels(state.id),
    )
    return f"{record.subnet} on bridge {record.bridge}, MTU {record.mtu}"
