# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""nginx's file as text; that nginx takes it, and does what it says, is shown where the zviewer system runs."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.gateway.model import parse
from ansible_collections.composeops.stack.plugins.module_utils.gateway.nginx import configuration

MAIN = {"name": "main-server", "port": 3000, "paths": ["/api/"], "rate_limit": {"requests": 50}}
ADMIN = {"name": "admin-service", "port": 3001, "paths": ["/api/admin/"], "authentication": "key"}
CORS = {"origins": ["https://www.zviewer.com"], "max_age": 60}
KEYS = [{"name": "partner", "secret": "GATEWAY_KEY_PARTNER"}]


def text(**changes: Any) -> str:
    return configuration(parse({"services": [MAIN, ADMIN], "cors": CORS, "consumers": KEYS, **changes}))


def part(content: str, opening: str) -> str:
    """Return the body of the one block that begins with ``opening``."""
    (found,) = re.findall(rf"^( *){re.escape(opening)} \{{\n(.*?)^\1\}}", content, re.MULTILINE | re.DOTALL)
    return str(found[1])


def test_it_closes_what_it_opens_and_ends_every_line() -> None:
    code = [line.strip() for line in text().splitlines() if line.strip() and not line.strip().startswith("#")]
    # Braces of JSON and of variables stand in quotes.
    bare = [re.sub(r"'[^']*'", "''", line) for line in code]
    assert sum(line.count("{") for line in bare) == sum(line.count("}") for line in bare)
    assert [line for line in bare if not line.endswith((";", "{", "}"))] == []


def test_zvw_02_every_path_leads_to_its_service() -> None:
    assert "proxy_pass http://main-server;" in part(text(), "location /api/")
    assert "proxy_pass http://admin-service;" in part(text(), "location /api/admin/")
    assert "return 404" in part(text(), "location /")


def test_a_service_may_take_every_path() -> None:
    assert "proxy_pass" in part(text(services=[{**MAIN, "paths": ["/"]}]), "location /")


def test_zvw_02_a_limit_counts_clients_and_lets_one_period_through_at_once() -> None:
    assert "limit_req_zone $binary_remote_addr zone=limit-main-server:2m rate=50r/s;" in text()
    assert "limit_req zone=limit-main-server burst=50 nodelay;" in part(text(), "location /api/")
    per_minute = text(services=[{**MAIN, "rate_limit": {"requests": 9, "per": "minute"}}])
    assert "rate=9r/m;" in per_minute
    assert "limit_req" not in part(text(), "location /api/admin/")


def test_zvw_02_a_key_is_wanted_where_it_is_declared_and_goes_no_further() -> None:
    assert "return 401" in part(text(), "location /api/admin/")
    assert "return 401" not in part(text(), "location /api/")
    assert '"@GATEWAY_KEY_PARTNER@" partner;' in part(text(), "map $http_apikey $consumer")
    assert 'proxy_set_header apikey "";' in text()


def test_zvw_02_a_preflight_is_answered_before_anything_is_asked() -> None:
    location = part(text(), "location /api/admin/")
    assert location.index("if ($preflight)") < location.index("return 401")
    assert '"https://www.zviewer.com" $http_origin;' in part(text(), "map $http_origin $cors_origin")


def test_without_cors_nobody_is_told_anything() -> None:
    assert "Access-Control" not in text(cors=None)
    assert "preflight" not in text(cors=None)


def test_zvw_02_failures_open_the_circuit_for_a_while() -> None:
    declared = {**MAIN, "circuit_breaker": {"failures": 2, "seconds": 7}}
    upstream = part(text(services=[declared, ADMIN]), "upstream main-server")
    assert "server main-server:3000 resolve max_fails=2 fail_timeout=7s;" in upstream
    # The balancer comes before the pool of connections, or nginx takes the default one.
    assert upstream.index("least_conn;") < upstream.index("keepalive 32;")
    assert "server unix:/run/gateway/open.sock backup;" in upstream
    assert "return 503" in text()


def test_zvw_02_clients_are_those_that_a_trusted_proxy_names() -> None:
    assert "real_ip_header" not in text()
    trusting = text(trusted_proxies=["172.16.0.0/12", "10.0.0.0/8"])
    assert "set_real_ip_from 172.16.0.0/12;" in trusting
    assert "real_ip_header X-Forwarded-For;" in trusting
