# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.answers import RedirectTarget, StaticTarget
from ansible_collections.composeops.stack.plugins.module_utils.edge.balancing import Balancing
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import Route, parse_sites
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput

BACKEND = {"stack": "petcare", "service": "backend", "port": 3000}


def route(**entry: Any) -> Route:
    return parse_sites([{"name": "app.petcare.com", "routes": [{"path": "/", **entry}]}])[0].routes[0]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param({"static": {"directory": "/srv/a/"}}, StaticTarget("/srv/a"), id="files"),
        pytest.param(
            {"static": {"directory": "/srv/a", "cache": "1y", "fallback": "/index.html"}},
            StaticTarget("/srv/a", "1y", "/index.html"),
            id="application",
        ),
        pytest.param({"redirect": {"to": "/new/"}}, RedirectTarget("/new/"), id="path"),
        pytest.param(
            {"redirect": {"to": "https://b.test:8443", "code": 308, "keep_path": True}},
            RedirectTarget("https://b.test:8443", 308, keep_path=True),
            id="another-host",
        ),
    ],
)
def test_what_the_edge_answers_by_itself(entry: dict[str, Any], expected: object) -> None:
    assert route(**entry).target == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param({}, "must name either stack", id="nothing"),
        pytest.param({**BACKEND, "redirect": {"to": "/a"}}, "it has stack, service, port, redirect", id="two"),
        pytest.param(
            {"upstream": ["10.0.0.1:80"], "static": {"directory": "/srv"}}, "upstream, static", id="two-others"
        ),
        pytest.param({"static": {"directory": "srv"}}, "'srv' is not the full path", id="relative"),
        pytest.param({"static": {"directory": "/srv/../etc"}}, "is not the full path", id="upwards"),
        pytest.param({"static": {"directory": "/"}}, "'/' is not the full path", id="everything"),
        pytest.param({"static": {"directory": "/srv;}"}}, "is not the full path", id="language"),
        pytest.param({"static": {"directory": "/srv", "cache": "soon"}}, "'soon' is not a duration", id="cache"),
        pytest.param({"static": {"directory": "/srv", "fallback": "index.html"}}, "static.fallback", id="fallback"),
        pytest.param({"redirect": {"to": "ftp://a"}}, "redirect.to 'ftp://a'", id="scheme"),
        pytest.param({"redirect": {"to": "https://a.test/$uri"}}, "redirect.to", id="variable"),
        pytest.param({"redirect": {"to": "/a", "code": 200}}, "redirect.code 200", id="code"),
        pytest.param({"redirect": {"to": "https://a.test/", "keep_path": True}}, "redirect.keep_path", id="slash"),
        pytest.param({"redirect": {"to": "/a", "keep_path": True}}, "redirect.keep_path", id="endless"),
        pytest.param({**BACKEND, "balance": "hash", "hash_by": "colour"}, "hash_by 'colour'", id="hash-by"),
        pytest.param({**BACKEND, "balance": "hash", "hash_by": "cookie"}, "belong together", id="no-cookie"),
        pytest.param({**BACKEND, "balance": "hash", "hash_cookie": "a"}, "belong together", id="cookie-alone"),
        pytest.param(
            {**BACKEND, "balance": "hash", "hash_by": "cookie", "hash_cookie": "a-b"}, "hash_cookie 'a-b'", id="cookie"
        ),
        pytest.param({**BACKEND, "hash_by": "address"}, "says nothing without balance: hash", id="no-hash"),
        pytest.param({**BACKEND, "max_fails": -1}, "max_fails is -1; it must be at least 0", id="max-fails"),
        pytest.param({**BACKEND, "fail_timeout": 0}, "fail_timeout is 0; it must be at least 1", id="fail-timeout"),
    ],
)
def test_what_cannot_be_meant_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        route(**entry)


def test_how_a_route_is_balanced() -> None:
    found = route(**BACKEND, balance="hash", hash_by="cookie", hash_cookie="session", max_fails=0, fail_timeout=3)
    assert found.balancing == Balancing("hash", "cookie", "session", 0, 3)
    assert str(found.balancing) == "hash by cookie session, max_fails 0, fail_timeout 3"
