"""What a scanner finds from outside: TLS against one of Mozilla's profiles, and ports that answer.

sslyze carries version 5.7 of the guideline. Ours is 6.0, which differs in two points: it has no DHE suites, and
X25519MLKEM768 is its first group. So the profiles are sslyze's own with these two brought up to date.
"""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sslyze import (
    CertificateInfoExtraArgument,
    ScanCommand,
    ScanCommandsExtraArguments,
    Scanner,
    ServerConnectivityStatusEnum,
    ServerNetworkLocation,
    ServerScanRequest,
    ServerScanResult,
)
from sslyze.mozilla_tls_profile.tls_config_checker import (
    SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER,
    MozillaTlsConfiguration,
    ServerNotCompliantWithTlsConfiguration,
    TlsConfigurationAsJson,
    TlsConfigurationEnum,
    check_server_against_tls_configuration,
)

HANDSHAKES_AT_ONCE = 4
CONNECTIONS_AT_ONCE = 8000
FILES_OF_OUR_OWN = 200
ALL_PORTS = range(1, 65536)


@dataclass(frozen=True)
class Findings:
    """What a scan of one site came to."""

    issues: Mapping[str, str]
    """What Mozilla's profile has to say against it, by the name of the rule."""
    versions: frozenset[str]
    groups: frozenset[str]
    """Groups of the key exchange that sslyze knows how to ask for; its OpenSSL has no post-quantum ones."""


INTERMEDIATE, MODERN = TlsConfigurationEnum.MOZILLA_INTERMEDIATE, TlsConfigurationEnum.MOZILLA_MODERN


def profile(named: TlsConfigurationEnum) -> TlsConfigurationAsJson:
    """Return version 6.0 of one of Mozilla's profiles."""
    wanted = MozillaTlsConfiguration.get(named)
    wanted.ciphers.iana = {name for name in wanted.ciphers.iana if not name.startswith("TLS_DHE_")}
    wanted.tls_curves = {*wanted.tls_curves, "X25519MLKEM768"}
    return wanted


def tls(
    address: str, names: Iterable[str], authority: Path, wanted: TlsConfigurationEnum = INTERMEDIATE
) -> dict[str, Findings]:
    """Scan the sites of the host at ``address``, trusting ``authority`` as browsers trust those that they know."""
    trusted = ScanCommandsExtraArguments(certificate_info=CertificateInfoExtraArgument(custom_ca_file=authority))
    scanner = Scanner(per_server_concurrent_connections_limit=HANDSHAKES_AT_ONCE)
    scanner.queue_scans(
        [
            ServerScanRequest(
                server_location=ServerNetworkLocation(hostname=name, ip_address=address),
                scan_commands={*SCAN_COMMANDS_NEEDED_BY_MOZILLA_CHECKER, ScanCommand.TLS_1_3_EARLY_DATA},
                scan_commands_extra_arguments=trusted,
            )
            for name in names
        ]
    )
    return {result.server_location.hostname: _findings(result, wanted) for result in scanner.get_results()}


def _findings(result: ServerScanResult, wanted: TlsConfigurationEnum) -> Findings:
    assert result.connectivity_status is ServerConnectivityStatusEnum.COMPLETED, result.connectivity_error_trace
    scanned = result.scan_result
    assert scanned is not None
    issues: dict[str, str] = {}
    try:
        check_server_against_tls_configuration(result, profile(wanted))
    except ServerNotCompliantWithTlsConfiguration as error:
        issues = dict(error.issues)
    early = scanned.tls_1_3_early_data.result
    assert early is not None
    if early.supports_early_data:
        issues["early_data"] = "Requests in early data can be sent again by whoever recorded them."
    curves = scanned.elliptic_curves.result
    assert curves is not None
    versions = {
        version
        for version in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3")
        if getattr(scanned, f"{version}_cipher_suites").result.is_tls_version_supported
    }
    return Findings(issues, frozenset(versions), frozenset(curve.name for curve in curves.supported_curves or []))


def open_ports(address: str, ports: Iterable[int] = ALL_PORTS, timeout: float = 1.0) -> list[int]:
    """Return the TCP ports that accept a connection; an IPv6 address of one link carries its scope, as in fe80::1%eth0.

    A port that is shut says nothing at all, so thousands are waited for at the same time.
    """
    waiting = list(ports)
    at_once = min(CONNECTIONS_AT_ONCE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - FILES_OF_OUR_OWN)
    return sorted(
        port
        for start in range(0, len(waiting), at_once)
        for port in _accepting(address, waiting[start : start + at_once], timeout)
    )


def _accepting(address: str, ports: Iterable[int], timeout: float) -> list[int]:
    family, _, _, _, place = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0]
    accepting = []
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for port in ports:
            connection = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            connection.setblocking(False)
            connection.connect_ex((place[0], port, *place[2:]))
            selector.register(connection, selectors.EVENT_WRITE, port)
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0 and selector.get_map():
            for key, _events in selector.select(left):
                selector.unregister(key.fileobj)
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    accepting.append(int(key.data))
    return accepting
