# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities, parse

DEBIAN_13 = """\
nginx version: nginx/1.26.3
built with OpenSSL 3.5.7 9 Jun 2026
TLS SNI support enabled
"""
DEBIAN_12 = """\
nginx version: nginx/1.22.1
built with OpenSSL 3.0.8 7 Feb 2023 (running with OpenSSL 3.0.17 1 Jul 2025)
TLS SNI support enabled
"""
UPGRADED_OPENSSL = """\
nginx version: nginx/1.29.4
built with OpenSSL 3.0.15 3 Sep 2024 (running with OpenSSL 3.5.1 1 Jul 2025)
"""
OTHER_LIBRARY = """\
nginx version: nginx/1.27.4
built with LibreSSL 4.0.0
"""


WITHOUT = {"http3": False, "brotli": False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(DEBIAN_13, Capabilities((1, 26, 3), (3, 5, 7), **WITHOUT), id="debian-13"),
        pytest.param(DEBIAN_12, Capabilities((1, 22, 1), (3, 0, 17), **WITHOUT), id="debian-12"),
        pytest.param(UPGRADED_OPENSSL, Capabilities((1, 29, 4), (3, 5, 1), **WITHOUT), id="running-library-counts"),
        pytest.param(OTHER_LIBRARY, Capabilities((1, 27, 4), (0, 0, 0), **WITHOUT), id="another-library"),
    ],
)
def test_versions_are_read(text: str, expected: Capabilities) -> None:
    assert parse(text, ipv6=True) == expected


@pytest.mark.parametrize(
    ("capabilities", "http2", "keepalive", "post_quantum"),
    [
        pytest.param(Capabilities((1, 22, 1), (3, 0, 17), **WITHOUT), False, False, False, id="debian-12"),
        pytest.param(Capabilities((1, 26, 3), (3, 5, 7), **WITHOUT), True, False, True, id="debian-13"),
        pytest.param(
            Capabilities((1, 25, 1), (3, 4, 9), **WITHOUT), True, False, False, id="first-with-http2-directive"
        ),
        pytest.param(
            Capabilities((1, 27, 4), (3, 5, 0), **WITHOUT), True, True, True, id="first-with-keepalive-min-timeout"
        ),
        pytest.param(Capabilities((1, 27, 4), (0, 0, 0), **WITHOUT), True, True, False, id="another-library"),
    ],
)
def test_versions_decide_what_may_be_used(
    capabilities: Capabilities, http2: bool, keepalive: bool, post_quantum: bool
) -> None:
    assert (capabilities.http2_directive, capabilities.keepalive_min_timeout, capabilities.post_quantum) == (
        http2,
        keepalive,
        post_quantum,
    )


def test_http3_is_read_from_how_nginx_was_built_and_brotli_from_what_it_loads() -> None:
    built = DEBIAN_13 + "configure arguments: --with-http_v2_module --with-http_v3_module"
    found = parse(built, ipv6=True, modules="load_module modules/ngx_http_brotli_filter_module.so;\n")
    assert (found.http3, found.brotli) == (True, True)
