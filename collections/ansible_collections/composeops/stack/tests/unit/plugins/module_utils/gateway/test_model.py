# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.gateway.model import (
    CircuitBreaker,
    Consumer,
    Gateway,
    RateLimit,
    Service,
    parse,
)

MAIN = {"name": "main-server", "port": 3000, "paths": ["/api/"]}
PARTNER = {"name": "partner", "secret": "GATEWAY_KEY_PARTNER"}


def service(**changes: Any) -> dict[str, Any]:
    return {"services": [{**MAIN, **changes}]}


def test_zvw_02_a_service_with_nothing_but_a_route() -> None:
    assert parse({"services": [MAIN]}) == Gateway((Service("main-server", 3000, ("/api/",)),))


def test_zvw_02_everything_that_can_be_declared() -> None:
    gateway = parse(
        {
            **service(
                authentication="key",
                rate_limit={"requests": 5, "per": "minute"},
                circuit_breaker={"failures": 2},
                read_timeout=10,
            ),
            "cors": {"origins": ["https://www.zviewer.com", "http://localhost:5173"], "credentials": True},
            "consumers": [PARTNER],
            "trusted_proxies": ["172.16.0.0/12"],
        }
    )
    (declared,) = gateway.services
    assert (declared.key_required, declared.rate_limit) == (True, RateLimit(5, "minute"))
    assert (declared.circuit_breaker, declared.read_timeout) == (CircuitBreaker(2, 10), 10)
    assert gateway.cors is not None
    assert gateway.cors.credentials
    assert gateway.consumers == (Consumer("partner", "GATEWAY_KEY_PARTNER"),)
    assert gateway.trusted_proxies == ("172.16.0.0/12",)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        pytest.param({}, "has no services", id="nothing"),
        pytest.param({"services": {}}, "services is not a list", id="services-as-mapping"),
        pytest.param({"services": ["main"]}, "service 1 is not a mapping", id="service-as-text"),
        pytest.param({"services": [MAIN], "plugins": []}, "The gateway has 'plugins', which is unknown", id="unknown"),
        pytest.param(service(ratelimit={}), "service main-server has 'ratelimit', which is unknown", id="misspelt"),
        pytest.param(service(name="Main Server"), "name is 'Main Server'", id="name"),
        pytest.param(service(port="3000"), "port is '3000'", id="port-as-text"),
        pytest.param(service(port=70000), "port is 70000", id="port-too-high"),
        pytest.param(service(port=True), "port is True", id="port-as-boolean"),
        pytest.param(service(paths=[]), "main-server has no paths", id="no-path"),
        pytest.param(service(paths="/api/"), "paths is not a list", id="path-as-text"),
        pytest.param(service(paths=["api"]), "paths has 'api'", id="path-without-slash"),
        pytest.param(service(paths=["/a;b"]), "paths has '/a;b'", id="path-that-ends-a-directive"),
        pytest.param(service(authentication="jwt"), "authentication is 'jwt'", id="authentication"),
        pytest.param(service(rate_limit={"per": "second"}), "rate_limit: requests is None", id="limit-of-nothing"),
        pytest.param(service(rate_limit={"requests": 0}), "requests is 0", id="limit-of-zero"),
        pytest.param(service(rate_limit={"requests": 1, "per": "day"}), "per is 'day'", id="limit-per-day"),
        pytest.param(service(circuit_breaker={"failures": 0}), "failures is 0", id="breaker"),
        pytest.param(service(circuit_breaker=3), "circuit_breaker is not a mapping", id="breaker-as-number"),
        pytest.param(service(authentication="key"), "wants a key for main-server, and no consumer", id="no-keys"),
        pytest.param({"services": [MAIN, {**MAIN, "paths": ["/b/"]}]}, "the service main-server twice", id="twice"),
        pytest.param({"services": [MAIN, {**MAIN, "name": "b"}]}, "the path /api/ twice", id="path-twice"),
        pytest.param({"services": [MAIN], "cors": {"origins": []}}, "has no origins", id="cors-without-origin"),
        pytest.param({"services": [MAIN], "cors": {"origins": ["*"]}}, "has '\\*'", id="cors-for-everybody"),
        pytest.param({"services": [MAIN], "cors": {"origins": ["https://a/b"]}}, "has 'https://a/b'", id="cors-path"),
        pytest.param(
            {"services": [MAIN], "cors": {"origins": ["https://a.b"], "methods": ["GET", "LINK"]}},
            "'LINK'",
            id="method",
        ),
        pytest.param(
            {"services": [MAIN], "cors": {"origins": ["https://a.b"], "credentials": "yes"}},
            "credentials is 'yes'",
            id="cors-credentials",
        ),
        pytest.param(
            {"services": [MAIN], "consumers": [PARTNER, {**PARTNER, "name": "b"}]}, "twice", id="one-key-for-two"
        ),
        pytest.param(
            {"services": [MAIN], "consumers": [{"name": "a", "secret": "s3cr3t"}]},
            "secret is 's3cr3t'",
            id="the-key-itself",
        ),
        pytest.param({"services": [MAIN], "trusted_proxies": ["all"]}, "trusted_proxies has 'all'", id="network"),
    ],
)
def test_zvw_02_what_cannot_be_right_is_refused_by_name(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as error:
        parse(declared)
    assert error.value.remedy
