# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.edge import nginx as adapter
from ansible_collections.composeops.stack.plugins.module_utils.edge.live import NotLoaded
from ansible_collections.composeops.stack.plugins.module_utils.edge.nginx import Nginx, explain
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner
from ansible_collections.composeops.stack.tests.unit.support.servers import free_port, http_server

MAIN = "http {\n    include composeops/live/*.conf;\n}\n"


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "nginx.conf"
    path.write_text(MAIN)
    return path


def test_the_candidate_is_the_real_main_configuration_beside_the_tree(tmp_path: Path, main: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "policy.conf").write_text("gzip on;\n")
    seen: list[str] = []

    def judge(argv: Sequence[str]) -> tuple[int, str, str]:
        candidate = Path(argv[-1])
        seen.extend([candidate.read_text(), (candidate.parent / "composeops/live/policy.conf").read_text()])
        return 0, "", "nginx: [warn] something odd in /x:1\n"

    runner = RecordedRunner(judge)
    assert Nginx(runner, main=str(main)).test_tree(str(tree)) == ["nginx: something odd in /x:1"]
    assert seen == [MAIN, "gzip on;\n"]
    assert runner.calls[0][:3] == ["nginx", "-t", "-c"]
    assert not os.path.exists(os.path.dirname(runner.calls[0][3]))


@pytest.mark.parametrize("content", ["http {}\n", None], ids=["another-one", "missing"])
def test_a_main_configuration_that_would_not_serve_the_sites_is_an_error(
    main: Path, tmp_path: Path, content: str | None
) -> None:
    main.unlink() if content is None else main.write_text(content)
    runner = RecordedRunner()
    with pytest.raises(ComposeOpsError, match=r"does not include composeops/live/\*\.conf"):
        Nginx(runner, main=str(main)).test_tree(str(tmp_path))
    assert runner.calls == []


def test_a_refusal_names_the_site_and_quotes_the_line(tmp_path: Path, main: Path) -> None:
    site = tmp_path / "tree/sites/app.petcare.com.conf"
    site.parent.mkdir(parents=True)
    site.write_text("server {\n    frobnicate on;\n}\n")

    def refuse(argv: Sequence[str]) -> tuple[int, str, str]:
        place = f"{os.path.dirname(argv[-1])}/composeops/live/sites/app.petcare.com.conf:2"
        return 1, "", f'nginx: [emerg] unknown directive "frobnicate" in {place}\nnginx: test failed\n'

    with pytest.raises(ComposeOpsError) as raised:
        Nginx(RecordedRunner(refuse), main=str(main)).test_tree(str(tmp_path / "tree"))
    assert str(raised.value) == (
        'nginx refuses site app.petcare.com: unknown directive "frobnicate" (line 2: frobnicate on;). '
        "Nothing was changed; correct it and run again."
    )


@pytest.mark.parametrize(
    ("stderr", "sentence"),
    [
        pytest.param(
            'nginx: [emerg] invalid value "x" in /tmp/c/composeops/live/upstreams/petcare.conf:9\n',
            'nginx refuses upstreams of stack petcare: invalid value "x" (line 9).',
            id="upstreams",
        ),
        pytest.param(
            'nginx: [emerg] unexpected "}" in /tmp/c/nginx.conf:3\n',
            'nginx refuses /etc/nginx/nginx.conf: unexpected "}" (line 3).',
            id="main-configuration",
        ),
        pytest.param(
            'nginx: [emerg] cannot load certificate "/x/fullchain.pem": BIO_new_file() failed\n',
            'nginx refuses the configuration: cannot load certificate "/x/fullchain.pem": BIO_new_file() failed.',
            id="without-a-place",
        ),
        pytest.param(
            "2026/11/22 04:40:00 [emerg] 812#812: open() failed in /tmp/c/composeops/live/policy.conf:1\n",
            "nginx refuses shared settings policy.conf: open() failed (line 1).",
            id="in-the-form-of-the-log",
        ),
        pytest.param("", "nginx refuses the configuration: it did not say why", id="silent"),
    ],
)
def test_complaints_are_put_in_the_words_of_the_inventory(stderr: str, sentence: str) -> None:
    assert explain(stderr, "/tmp/c") == sentence


def test_the_running_nginx_tells_what_it_has_loaded() -> None:
    asked: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        asked.append(f"{request.headers['Host']}{request.path}")
        request.send_response(200)
        request.send_header("X-Composeops-Generation", "7")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with http_server(answer) as port:
        assert Nginx(RecordedRunner(), port=port).loaded_generation() == 7
    assert asked == ["composeops.invalid/status"]


STATUS = b"Active connections: 4 \nserver accepts handled requests\n 9 9 31 \nReading: 0 Writing: 1 Waiting: 3 \n"


def test_a_reload_waits_for_the_connections_that_nobody_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snippet = tmp_path / "snippets/draining.conf"
    snippet.parent.mkdir()
    snippet.write_text("")
    waited: list[int | None] = []

    @contextlib.contextmanager
    def drained(idle_connections: Callable[[], int | None]) -> Iterator[None]:
        waited.append(idle_connections())
        yield

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("X-Composeops-Generation", "3")
        request.send_header("Content-Length", str(len(STATUS)))
        request.end_headers()
        request.wfile.write(STATUS)

    monkeypatch.setattr(adapter.draining, "drained", drained)
    with http_server(answer) as port:
        Nginx(RecordedRunner(), live=str(tmp_path), error_log=str(tmp_path / "none"), port=port).reload_until(3)
        snippet.unlink()
        Nginx(RecordedRunner(), live=str(tmp_path), error_log=str(tmp_path / "none"), port=port).reload_until(3)
    assert waited == [3]


def test_a_stranger_on_the_port_has_loaded_nothing_of_ours() -> None:
    with http_server(lambda request: request.send_error(404)) as port:
        assert Nginx(RecordedRunner(), port=port).loaded_generation() is None


def test_nobody_on_the_port_has_loaded_nothing() -> None:
    assert Nginx(RecordedRunner(), port=free_port()).loaded_generation() is None


def test_a_reload_that_nginx_refuses_is_told_from_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "RELOAD_TIMEOUT", 0.05)
    log = tmp_path / "error.log"
    log.write_text("2026/11/22 04:00:00 [emerg] 1#1: of yesterday\n")

    def reload(argv: Sequence[str]) -> tuple[int, str, str]:
        with log.open("a") as stream:
            stream.write("2026/11/22 04:40:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)\n")
            stream.write("2026/11/22 04:40:02 [emerg] 1#1: still could not bind()\n")
        return 0, "", ""

    runner = RecordedRunner(reload)
    with pytest.raises(
        ComposeOpsError, match=r"did not load generation 3.*It logged: bind\(\) to 0\.0\.0\.0:80 failed"
    ):
        Nginx(runner, error_log=str(log), port=free_port()).reload_until(3)
    assert runner.calls == [["systemctl", "reload-or-restart", "nginx.service"]]


@pytest.mark.parametrize(
    ("logged", "kept"),
    [("[emerg] 1#1: still could not bind()", True), ("[crit] 2#2: SSL_do_handshake() failed", False), ("", False)],
    ids=["refused", "something-else", "nothing"],
)
def test_an_nginx_that_answers_and_refused_has_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: str, kept: bool
) -> None:
    monkeypatch.setattr(adapter, "RELOAD_TIMEOUT", 0.05)
    log = tmp_path / "error.log"
    log.write_text("")

    def reload(argv: Sequence[str]) -> tuple[int, str, str]:
        log.write_text(f"2026/11/22 04:40:00 {logged}\n")
        return 0, "", ""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("X-Composeops-Generation", "2")
        request.send_header("Content-Length", "0")
        request.end_headers()

    with http_server(answer) as port, pytest.raises(ComposeOpsError, match="did not load generation 3") as raised:
        Nginx(RecordedRunner(reload), error_log=str(log), port=port).reload_until(3)
    assert isinstance(raised.value, NotLoaded) is kept


def test_a_start_that_fails_is_told_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    log.write_text("")
    runner = RecordedRunner(lambda argv: (1, "", "Job for nginx.service failed."))
    with pytest.raises(ComposeOpsError, match=r"could not be reloaded or started\. Nothing about it is in"):
        Nginx(runner, error_log=str(log), port=free_port()).reload_until(3)


def test_a_host_without_nginx_has_no_capabilities() -> None:
    assert Nginx(RecordedRunner(lambda argv: (127, "", "nginx: not found"))).capabilities() is None
