# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import ssl
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from ansible_collections.composeops.stack.plugins.module_utils.certificates.bundle import fingerprint
from ansible_collections.composeops.stack.plugins.module_utils.certificates.serving import served_fingerprint
from ansible_collections.composeops.stack.tests.unit.support import letsencrypt
from ansible_collections.composeops.stack.tests.unit.support.servers import free_port, http_server


def never(request: BaseHTTPRequestHandler) -> None:
    raise AssertionError("a handshake asks for nothing")


def test_the_certificate_that_answers_is_told_apart_though_nobody_trusts_it(tmp_path: Path) -> None:
    live = letsencrypt.issue(tmp_path, "a.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(live / "fullchain.pem", live / "privkey.pem")
    with http_server(never, tls=context) as port:
        assert served_fingerprint("a.test", port=port) == fingerprint((live / "fullchain.pem").read_bytes())


def test_no_handshake_is_no_certificate() -> None:
    assert served_fingerprint("a.test", port=free_port()) is None
    with http_server(never) as plain:
        assert served_fingerprint("a.test", port=plain) is None


def test_a_wildcard_is_asked_for_by_a_name_that_it_covers(tmp_path: Path) -> None:
    live = letsencrypt.issue(tmp_path, "a.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(live / "fullchain.pem", live / "privkey.pem")
    asked: list[str | None] = []
    context.sni_callback = lambda connection, name, own: asked.append(name)
    with http_server(never, tls=context) as port:
        assert served_fingerprint("*.a.test", port=port)
    assert asked == ["composeops-probe.a.test"]
