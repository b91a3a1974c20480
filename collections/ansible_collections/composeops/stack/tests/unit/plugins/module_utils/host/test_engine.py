"""Settings of the Docker engine that would open the host, or leave it without networks."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.host import engine

TCP = "tcp://0.0.0.0:2375"


@pytest.mark.parametrize(
    ("argv", "settings", "found"),
    [
        pytest.param(
            ["/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/c.sock"], {}, [], id="as-debian-starts-it"
        ),
        pytest.param(["dockerd", "-H", TCP], {}, [TCP], id="short"),
        pytest.param(["dockerd", f"-H{TCP}"], {}, [TCP], id="short-in-one-word"),
        pytest.param(["dockerd", f"-H={TCP}"], {}, [TCP], id="short-with-equals"),
        pytest.param(["dockerd", "--host", TCP], {}, [TCP], id="long"),
        pytest.param(["dockerd", f"--host={TCP}"], {}, [TCP], id="long-in-one-word"),
        pytest.param(["dockerd"], {"hosts": ["unix:///run/docker.sock", TCP]}, [TCP], id="settings"),
        pytest.param(
            ["dockerd", "-H", "tcp://127.0.0.1:2375"], {}, ["tcp://127.0.0.1:2375"], id="loopback-is-no-excuse"
        ),
        pytest.param(["dockerd", "-H", TCP, "--tlsverify"], {}, [], id="certificates-by-argument"),
        pytest.param(["dockerd", "-H", TCP, "--tlsverify=false"], {}, [TCP], id="certificates-not-verified"),
        pytest.param(["dockerd", "-H", TCP], {"tlsverify": True}, [], id="certificates-by-settings"),
        pytest.param(["dockerd", "-H", TCP], {"tls": True}, [TCP], id="encrypted-for-everybody"),
    ],
)
def test_where_commands_are_taken_from_whoever_comes(argv: list[str], settings: Any, found: list[str]) -> None:
    assert engine.tcp_sockets(argv, settings) == found


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"metrics-addr": "127.0.0.1:9323"}, id="metrics"),
        pytest.param({"metrics-addr": "[::1]:9323"}, id="metrics-by-ipv6"),
        pytest.param({"default-address-pools": [{"base": "172.18.0.0/15", "size": 24}]}, id="pool"),
        pytest.param({"default-address-pools": [{"base": "fd00::/48", "size": 64}]}, id="pool-of-ipv6"),
    ],
)
def test_what_is_sound(settings: Any) -> None:
    engine.check(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"hosts": [TCP]}, "would listen at tcp://0.0.0.0:2375: whoever reaches it is root", id="tcp"),
        pytest.param({"metrics-addr": "0.0.0.0:9323"}, "0.0.0.0:9323 is no address", id="metrics-for-all"),
        pytest.param({"metrics-addr": "localhost"}, "localhost is no address", id="metrics-without-a-port"),
        pytest.param({"default-address-pools": [{"base": "172.18.0.1/15", "size": 24}]}, "is no pool", id="host-bits"),
        pytest.param({"default-address-pools": [{"base": "172.18.0.0/15"}]}, "is no pool", id="no-size"),
        pytest.param({"default-address-pools": ["172.18.0.0/15"]}, "is no pool", id="no-mapping"),
        pytest.param(
            {"default-address-pools": [{"base": "10.0.0.0/24", "size": 16}]}, "cannot be divided", id="too-big"
        ),
    ],
)
def test_what_is_refused_before_it_is_written(settings: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        engine.check(settings)


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_a_file_that_is_no_settings_has_none(text: str | None) -> None:
    assert engine.parse(text) == {}
