"""What images take over from the machine."""

from __future__ import annotations

import base64

import pytest
from testbed import machine

DEB822 = """\
Types: deb
# http://snapshot.debian.org/archive/debian/20250520T000000Z
URIs: http://mirror.example.com/debian
Suites: trixie
Types: deb
URIs: http://mirror.example.com/debian-security
Suites: trixie-security
"""


def pem(content: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(content).decode()}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        pytest.param(
            DEB822, ("http://mirror.example.com/debian", "http://mirror.example.com/debian-security"), id="deb822"
        ),
        pytest.param(
            "deb https://a.example/debian/ bookworm main\ndeb https://a.example/debian-security x main\n",
            ("https://a.example/debian", "https://a.example/debian-security"),
            id="one_line_format",
        ),
        pytest.param("", (machine.DEBIAN, machine.SECURITY), id="no_sources"),
        pytest.param(
            "deb http://archive.ubuntu.com/ubuntu noble main\n", (machine.DEBIAN, machine.SECURITY), id="ubuntu"
        ),
    ],
)
def test_debian_comes_from_where_the_machine_gets_it(sources: str, expected: tuple[str, str]) -> None:
    assert machine.mirrors(sources) == expected


def test_only_settings_for_fetching_are_taken_over() -> None:
    dump = (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::CaInfo "/only/here.pem";\n'
        'Acquire::Check-Date "false";\n'
        'Acquire::Retries "";\n'
        'DPkg::Post-Invoke:: "do something here";\n'
        'Acquire::IndexTargets "";\n'
    )
    assert machine.apt_settings(dump, {}) == [
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::Check-Date "false";',
    ]


def test_a_proxy_of_the_environment_is_used_unless_apt_has_its_own() -> None:
    environment = {"http_proxy": "http://env.example:1", "HTTPS_PROXY": "http://env.example:2"}
    assert machine.apt_settings('Acquire::http::Proxy "http://apt.example:3";\n', environment) == [
        'Acquire::http::Proxy "http://apt.example:3";',
        'Acquire::https::Proxy "http://env.example:2";',
    ]


def test_extra_authorities_are_those_mozilla_does_not_list() -> None:
    bundle = pem(b"mozilla") + "some text between\n" + pem(b"company")
    assert list(machine.extra_certificates(bundle, [pem(b"mozilla")]).values()) == [pem(b"company")]


def test_the_same_certificate_wrapped_differently_is_one() -> None:
    long = bytes(range(120))
    body = base64.b64encode(long).decode()
    loose = "\n".join(["-----BEGIN CERTIFICATE-----", body[:76], body[76:], "-----END CERTIFICATE-----", ""])
    assert len(machine.certificates(pem(long) + loose)) == 1
