# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import (
    ServiceTarget,
    Site,
    parse_sites,
    service_targets,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import render

DEBIAN_12 = Capabilities((1, 22, 1), (3, 0, 17))
DEBIAN_13 = Capabilities((1, 26, 3), (3, 5, 7))
NEWEST = Capabilities((1, 29, 4), (3, 5, 7))

PETCARE = [
    {
        "name": "app.petcare.com",
        "routes": [
            {"path": "/", "stack": "petcare", "service": "frontend", "port": 80},
            {"path": "/api/", "stack": "petcare", "service": "backend", "port": 3000},
        ],
    },
    {
        "name": "mobile-api.petcare.com",
        "routes": [
            {"path": "/", "stack": "petcare", "service": "mobile-backend", "port": 3003, "websocket": True},
        ],
    },
]
FRONTEND = ServiceTarget("petcare", "frontend", 80)
BACKEND = ServiceTarget("petcare", "backend", 3000)
MOBILE = ServiceTarget("petcare", "mobile-backend", 3003)
ENDPOINTS = {
    FRONTEND: {"": ["127.0.0.1:21000"]},
    BACKEND: {"": ["127.0.0.1:21001", "127.0.0.1:21002"]},
    MOBILE: {"": ["127.0.0.1:21003"]},
}


def tree(declared: list[dict[str, Any]] = PETCARE, capabilities: Capabilities = DEBIAN_13) -> dict[str, str]:
    sites = parse_sites(declared)
    endpoints = {target: ENDPOINTS[target] for target in service_targets(sites)}
    return render(sites, endpoints, capabilities)


def site(**changes: Any) -> str:
    return tree([{**PETCARE[0], **changes}])["sites/app.petcare.com.conf"]


def blocks(text: str, opening: str) -> list[str]:
    """Return the bodies of the blocks that begin with ``opening``; the text is indented as it is nested."""
    found = re.findall(rf"^( *){re.escape(opening)} \{{\n(.*?)^\1\}}", text, re.MULTILINE | re.DOTALL)
    return [body for _, body in found]


def test_the_tree_has_one_file_for_each_site_and_stack() -> None:
    assert sorted(tree()) == [
        "default.conf",
        "policy.conf",
        "sites/app.petcare.com.conf",
        "sites/mobile-api.petcare.com.conf",
        "snippets/draining.conf",
        "snippets/proxy.conf",
        "upstreams/petcare.conf",
    ]


@pytest.mark.parametrize("capabilities", [DEBIAN_12, DEBIAN_13, NEWEST], ids=["debian-12", "debian-13", "newest"])
def test_every_file_closes_what_it_opens(capabilities: Capabilities) -> None:
    for path, text in tree(capabilities=capabilities).items():
        code = "\n".join(line for line in text.splitlines() if not line.strip().startswith("#"))
        assert code.count("{") == code.count("}"), path
        assert text.endswith("\n"), path
        for line in filter(None, map(str.strip, code.splitlines())):
            assert line[-1] in ";{}'" or line.endswith("upgrade;"), f"{path}: {line}"


def test_pet_02_routes_lead_to_their_services() -> None:
    secure = blocks(tree()["sites/app.petcare.com.conf"], "server")[1]
    assert "proxy_pass http://petcare-frontend-80$composeops_raw;" in blocks(secure, "location /")[0]
    assert "proxy_pass http://petcare-backend-3000$composeops_raw;" in blocks(secure, "location /api/")[0]


def test_pet_02_replicas_of_a_service_share_its_upstream() -> None:
    upstream = blocks(tree()["upstreams/petcare.conf"], "upstream petcare-backend-3000")[0]
    assert re.findall(r"server (\S+);", upstream) == ["127.0.0.1:21001", "127.0.0.1:21002"]
    assert "keepalive 32;" in upstream


def test_pet_02_replicas_take_requests_in_turn_unless_told_otherwise() -> None:
    assert "least_conn" not in "".join(tree().values())


def test_zvw_03_least_connections_are_counted_by_all_workers_together() -> None:
    routes = [{"path": "/api/", "stack": "petcare", "service": "backend", "port": 3000, "balance": "least_conn"}]
    upstream = blocks(
        tree([{"name": "b.test", "routes": routes}])["upstreams/petcare.conf"], "upstream " + BACKEND.upstream
    )[0]
    lines = [line.strip() for line in upstream.splitlines() if not line.strip().startswith("#")]
    # nginx takes keepalive for the balancer that is in force when it comes.
    assert lines[:2] == ["zone petcare-backend-3000 64k;", "least_conn;"]
    assert "keepalive 32;" in lines


def test_zvw_03_addresses_are_balanced_too() -> None:
    text = tree([{"name": "b.test", "routes": [{"path": "/", "upstream": ["10.0.0.5:8080"], "balance": "least_conn"}]}])
    assert "least_conn;" in blocks(text["sites/b.test.conf"], "upstream b.test-route-1")[0]


def test_pet_02_every_location_sends_the_forwarding_headers() -> None:
    text = tree()
    for header in ("Host $host", "X-Real-IP $remote_addr", "X-Forwarded-For $remote_addr", "X-Forwarded-Proto $scheme"):
        assert f"proxy_set_header {header};" in text["snippets/proxy.conf"]
    sites = text["sites/app.petcare.com.conf"] + text["sites/mobile-api.petcare.com.conf"]
    assert sites.count("include composeops/live/snippets/proxy.conf;") == sites.count("proxy_pass") == 3


def test_pet_02_only_websocket_routes_are_upgraded() -> None:
    text = tree()
    assert "proxy_set_header Upgrade $http_upgrade;" in text["sites/mobile-api.petcare.com.conf"]
    assert "proxy_read_timeout 3600s;" in text["sites/mobile-api.petcare.com.conf"]
    assert "Upgrade" not in text["sites/app.petcare.com.conf"]
    assert 'proxy_set_header Connection "";' in text["sites/app.petcare.com.conf"]


def test_pet_03_http_redirects_and_https_serves() -> None:
    plain, secure = blocks(site(aliases=["www.petcare.com"]), "server")
    assert "server_name app.petcare.com www.petcare.com;" in plain
    assert "server_name app.petcare.com www.petcare.com;" in secure
    assert "return 301 https://$host$request_uri;" in plain
    assert "proxy_pass" not in plain
    assert "listen 443 ssl;" in secure
    assert "ssl_certificate     /etc/nginx/composeops/tls/app.petcare.com/current/fullchain.pem;" in secure


def test_challenges_are_answered_without_redirect() -> None:
    challenge = blocks(blocks(site(), "server")[0], "location ^~ /.well-known/acme-challenge/")[0]
    assert "root /var/www/composeops-acme;" in challenge
    assert "return" not in challenge


def uncached(**changes: Any) -> str:
    api = {"path": "/api/", "stack": "petcare", "service": "backend", "port": 3000}
    routes = [PETCARE[0]["routes"][0], {**api, "headers": {"Cache-Control": "no-store"}}]
    return site(routes=routes, headers={"X-Frame-Options": "DENY", "cache-control": "public"}, **changes)


def test_sag_02_a_routes_header_takes_the_place_of_the_services_and_of_the_sites() -> None:
    plain, secure = blocks(uncached(redirect_to_https=False), "server")
    api = blocks(secure, "location /api/")[0]
    assert "proxy_hide_header Cache-Control;" in api
    assert [line.strip() for line in api.splitlines() if "add_header" in line] == [
        'add_header X-Frame-Options "DENY" always;',
        "add_header X-Content-Type-Options $composeops_default_x_content_type_options always;",
        "add_header Referrer-Policy $composeops_default_referrer_policy always;",
        'add_header Cache-Control "no-store" always;',
    ]
    # nginx forgets what is around a location that adds headers, so that it is repeated there; HSTS is for HTTPS alone.
    assert "include /etc/nginx/composeops/tls/app.petcare.com/current/hsts.conf;" in api
    assert "hsts.conf" not in blocks(plain, "location /api/")[0]


def test_a_route_without_headers_inherits_those_of_the_site() -> None:
    assert "add_header" not in blocks(uncached(), "location /")[-1]


def test_a_site_without_redirect_answers_alike_on_both_ports() -> None:
    plain, secure = blocks(site(redirect_to_https=False, headers={"X-A": "b"}), "server")
    assert "return 301" not in plain
    assert blocks(plain, "location /api/") == blocks(secure, "location /api/")
    assert 'add_header X-A "b" always;' in plain
    assert "hsts.conf" not in plain


def test_the_snippet_stands_in_the_https_server_only() -> None:
    plain, secure = blocks(site(snippet="location = /x {\n    return 204;\n}"), "server")
    assert blocks(secure, "location = /x") == ["        return 204;\n"]
    assert "/x" not in plain


def test_addresses_are_an_upstream_of_the_site_itself() -> None:
    text = tree([{"name": "b.test", "routes": [{"path": "/", "upstream": ["10.0.0.5:8080"]}]}])
    assert sorted(path for path in text if "snippets" not in path) == [
        "default.conf",
        "policy.conf",
        "sites/b.test.conf",
    ]
    assert "server 10.0.0.5:8080;" in blocks(text["sites/b.test.conf"], "upstream b.test-route-1")[0]
    assert "proxy_pass http://b.test-route-1$composeops_raw;" in text["sites/b.test.conf"]


def test_unknown_names_are_answered_by_nobody() -> None:
    plain, secure, status = blocks(tree()["default.conf"], "server")
    assert "listen 80 default_server;" in plain
    assert "return 444;" in plain
    assert "listen 443 ssl default_server;" in secure
    assert "ssl_reject_handshake on;" in secure
    assert "ssl_certificate" not in secure
    assert re.findall(r"(allow|deny) (\S+);", status) == [("allow", "127.0.0.1"), ("allow", "::1"), ("deny", "all")]


def test_tls_is_mozillas_intermediate_profile() -> None:
    policy = tree()["policy.conf"]
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in policy
    ciphers = re.findall(r"ssl_ciphers (\S+);", policy)[0].split(":")
    assert len(ciphers) == 6
    assert [cipher for cipher in ciphers if not cipher.startswith("ECDHE-")] == []
    assert [cipher for cipher in ciphers if "GCM" not in cipher and "CHACHA20" not in cipher] == []
    assert "ssl_session_tickets off;" in policy
    assert "ssl_prefer_server_ciphers off;" in policy
    assert "ssl_stapling" not in "".join(tree().values())


@pytest.mark.parametrize(
    ("capabilities", "present", "absent"),
    [
        pytest.param(
            DEBIAN_12,
            ["listen 443 ssl http2;", "ssl_ecdh_curve X25519:prime256v1:secp384r1;"],
            ["http2 on;", "MLKEM", "keepalive_min_timeout"],
            id="debian-12",
        ),
        pytest.param(
            DEBIAN_13,
            ["listen 443 ssl;", "http2 on;", "ssl_ecdh_curve X25519MLKEM768:X25519:prime256v1:secp384r1;"],
            ["ssl http2", "keepalive_min_timeout"],
            id="debian-13",
        ),
        pytest.param(NEWEST, ["http2 on;", "MLKEM768", "keepalive_min_timeout 5s;"], ["ssl http2"], id="newest"),
        pytest.param(Capabilities(ipv6=False), ["listen 443 ssl;"], ["[::]"], id="without-ipv6"),
        pytest.param(
            Capabilities(ipv6=True), ["listen [::]:443 ssl;", "listen [::]:80 default_server;"], [], id="ipv6"
        ),
    ],
)
def test_directives_fit_the_versions_found(capabilities: Capabilities, present: list[str], absent: list[str]) -> None:
    text = "".join(tree(capabilities=capabilities).values())
    assert [words for words in present if words not in text] == []
    assert [words for words in absent if words in text] == []


def test_a_service_not_yet_deployed_leaves_a_remark_for_check_mode() -> None:
    sites: tuple[Site, ...] = parse_sites(PETCARE[1:])
    text = render(sites, {MOBILE: []}, DEBIAN_13)["upstreams/petcare.conf"]
    assert "# known after the first deployment" in text
    assert "server " not in text


def test_no_sites_leave_only_the_default_servers() -> None:
    assert sorted(tree([])) == ["default.conf", "policy.conf", "snippets/draining.conf", "snippets/proxy.conf"]


DRAINING = "include composeops/live/snippets/draining.conf;"


@pytest.mark.parametrize("capabilities", [DEBIAN_12, DEBIAN_13], ids=["debian-12", "debian-13"])
def test_every_site_closes_connections_before_a_reload_after_all_else_was_decided(capabilities: Capabilities) -> None:
    text = tree([{**PETCARE[0], "snippet": "set $a b;"}], capabilities)
    for server in blocks(text["sites/app.petcare.com.conf"], "server"):
        end = [line.strip() for line in server.rstrip().splitlines()][-4:]
        assert end == [DRAINING, "if ($composeops_raw) {", "rewrite ^ /.composeops/draining$uri last;", "}"]
    assert "internal;" in blocks(text["snippets/draining.conf"], "location ^~ /.composeops/draining/")[0]
    assert "keepalive_timeout 30s;" in text["policy.conf"]


def test_an_nginx_that_spares_idle_connections_itself_needs_no_draining() -> None:
    text = tree(capabilities=NEWEST)
    assert "keepalive_min_timeout 5s;" in text["policy.conf"]
    assert "draining" not in "".join(text.values())
    assert "$composeops_raw" not in "".join(text.values())


def coloured() -> dict[str, str]:
    endpoints = {
        FRONTEND: {"blue": ["127.0.0.1:21000"], "green": ["127.0.0.1:21002"]},
        BACKEND: {"blue": ["127.0.0.1:21001"], "green": ["127.0.0.1:21003"]},
        MOBILE: {"": ["127.0.0.1:21004"]},
    }
    return render(parse_sites(PETCARE), endpoints, DEBIAN_13)


def test_rfx_05_a_file_decides_with_every_request_which_colour_answers() -> None:
    text = coloured()
    secure = blocks(text["sites/app.petcare.com.conf"], "server")[1]
    assert "include composeops/live/snippets/colour-petcare.conf;" in secure
    assert (
        "proxy_pass http://petcare-backend-3000-$composeops_colour_petcare$composeops_raw;"
        in blocks(secure, "location /api/")[0]
    )
    choice = text["snippets/colour-petcare.conf"]
    assert "set $composeops_colour_petcare blue;" in choice
    assert blocks(choice, "if (-f /etc/nginx/composeops/active/petcare.green)") == [
        "    set $composeops_colour_petcare green;\n"
    ]


def test_sag_07_a_canary_is_known_before_any_release_and_measured_for_the_routes_in_colours_alone() -> None:
    text = coloured()
    assert sorted(set(text) - set(tree())) == [
        "canary-petcare.conf",
        "snippets/canary-petcare.conf",
        "snippets/colour-petcare.conf",
    ]
    measured = blocks(text["canary-petcare.conf"], "map $proxy_host $composeops_asked_petcare")[0]
    names = "petcare-backend-3000-blue|petcare-backend-3000-green|petcare-frontend-80-blue|petcare-frontend-80-green"
    assert f'"~^({names})$" $composeops_told_petcare;' in measured
    assert "mobile" not in measured


def test_what_is_in_no_colour_has_no_canary() -> None:
    assert [path for path in tree() if "canary" in path or "colour" in path] == []
    assert "access_log /" not in "".join(tree().values())


def test_rfx_05_both_colours_are_there_before_any_release() -> None:
    upstreams = coloured()["upstreams/petcare.conf"]
    assert "server 127.0.0.1:21001;" in blocks(upstreams, "upstream petcare-backend-3000-blue")[0]
    assert "server 127.0.0.1:21003;" in blocks(upstreams, "upstream petcare-backend-3000-green")[0]


def test_what_is_replaced_in_place_is_routed_beside_it_as_ever() -> None:
    text = coloured()
    assert "proxy_pass http://petcare-mobile-backend-3003$composeops_raw;" in text["sites/mobile-api.petcare.com.conf"]
    assert (
        "server 127.0.0.1:21004;" in blocks(text["upstreams/petcare.conf"], "upstream petcare-mobile-backend-3003")[0]
    )


def test_what_only_a_canary_needs_is_looked_at_by_nobody_else() -> None:
    text = coloured()["sites/app.petcare.com.conf"]
    secure = [line.strip() for line in blocks(text, "server")[1].splitlines()]
    order = [
        'set $composeops_special "";',
        "include composeops/live/snippets/colour-petcare.conf;",
        DRAINING,
        'if ($composeops_special = "") {',
        "break;",
        "include composeops/live/snippets/canary-petcare.conf;",
        "if ($composeops_raw) {",
    ]
    assert [line for line in secure if line in order] == order
    # The server that only redirects has nothing to choose.
    assert "canary" not in blocks(text, "server")[0]
    assert "$composeops_special" not in tree()["sites/app.petcare.com.conf"]
