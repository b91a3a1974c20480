"""What the world sees of a production host: its ports, its TLS and what its answers tell about it, by IPv4 and IPv6."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bed_host import BedHost
from tests.support import link_local, scan
from tests.support.outside import Outside
from tests.support.strangers import strangers

SITES = ("app.petcare.com", "customer.petcare.com", "mobile-api.petcare.com")
FAMILIES = ("IPv4", "IPv6")
PUBLISHED = 8099
"""A port that a container publishes to the whole world, against all advice."""


@pytest.fixture(scope="module")
def addresses(operator: BedHost) -> Iterator[dict[str, str]]:
    """Where the host is reached."""
    with link_local.enabled(operator) as address:
        yield {"IPv4": operator.address, "IPv6": address}


@pytest.fixture(scope="module")
def published(operator: BedHost) -> Iterator[None]:
    """A container beside the system whose port is published to everyone."""
    name = "exposure-test"
    run = ["docker", "run", "--detach", "--rm", "--name", name, "--publish", f"{PUBLISHED}:80", "nginx:alpine"]
    operator.run(run, check=True)
    try:
        connects = f"exec 3<>/dev/tcp/{operator.address}/{PUBLISHED}"
        assert operator.run(["bash", "-c", connects]).ok, "the container is not even published on the host itself"
        yield
    finally:
        operator.run(["docker", "kill", name], check=True)


@pytest.fixture(scope="module")
def findings(addresses: dict[str, str], authority: Path) -> dict[str, Any]:
    """What a scan of every site by every way found."""
    return {family: scan.tls(address, SITES, authority) for family, address in addresses.items()}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", SITES)
def test_pet_03_a_scan_against_mozillas_intermediate_profile_finds_nothing(
    findings: dict[str, Any], family: str, name: str
) -> None:
    found = findings[family][name]
    assert dict(found.issues) == {}
    assert found.versions == {"tls_1_2", "tls_1_3"}
    assert found.groups == {"X25519", "secp256r1", "secp384r1"}


def test_pet_03_the_key_exchange_is_post_quantum_where_the_client_knows_it(host: Any, operator: BedHost) -> None:
    """Asked from the host itself, whose OpenSSL is 3.5: the scanner's is older."""
    client = f"openssl s_client -connect {operator.address}:443 -servername {SITES[0]} < /dev/null"
    assert "Negotiated TLS1.3 group: X25519MLKEM768" in host.check_output(f"{client} 2>&1")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["unknown.example", None], ids=["unknown-name", "no-name"])
def test_pet_03_who_asks_for_no_site_is_shown_no_certificate(
    addresses: dict[str, str], family: str, name: str | None
) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((addresses[family], 443), timeout=10) as plain,
        pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"),
    ):
        context.wrap_socket(plain, server_hostname=name)


@pytest.mark.parametrize("name", SITES)
def test_pet_03_no_promise_of_https_for_an_authority_that_only_tests_trust(outside: Outside, name: str) -> None:
    """That it is made where the host trusts the certificate shows tests/integration/test_certificates.py."""
    assert "strict-transport-security" not in outside.https(name).headers
    assert "strict-transport-security" not in outside.http(name).headers


@pytest.mark.parametrize("path", ["/", "/no/such/page", "/api/health"])
@pytest.mark.parametrize("name", SITES)
def test_answers_tell_no_version_of_any_program(outside: Outside, name: str, path: str) -> None:
    for answer in (outside.https(name, path), outside.http(name, path)):
        tellers = {header: answer.headers.get(header, "") for header in ("server", "x-powered-by", "via")}
        assert [value for value in tellers.values() if re.search(r"\d", value)] == []
        assert not re.search(rb"(?i)(nginx|openresty|uvicorn|python|express)/\d", answer.body)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("family", FAMILIES)
def test_pet_11_ssh_and_web_are_the_only_ports_although_a_container_publishes_one(
    addresses: dict[str, str], family: str
) -> None:
    assert scan.open_ports(addresses[family]) == [22, 80, 443]


@pytest.mark.usefixtures("published")
def test_pet_03_a_ban_holds_for_a_port_that_a_container_publishes(operator: BedHost) -> None:
    """For once the port is open: whoever is banned is not let in all the same, and others are."""
    opened = f"nft insert rule inet composeops forward tcp dport 80 ct original proto-dst {PUBLISHED} accept"
    with strangers(2) as (guesser, neighbour):
        assert not guesser.reaches(operator.address, PUBLISHED)
        operator.run(opened, check=True)
        try:
            assert guesser.reaches(operator.address, PUBLISHED)
            operator.run(f"fail2ban-client set sshd banip {guesser.address}", check=True)
            reached = [one.reaches(operator.address, port) for port in (PUBLISHED, 443) for one in (guesser, neighbour)]
            assert reached == [False, True, False, True]
        finally:
            operator.run(f"fail2ban-client set sshd unbanip {guesser.address}", check=True)
            operator.run("systemctl reload composeops-firewall", check=True)
