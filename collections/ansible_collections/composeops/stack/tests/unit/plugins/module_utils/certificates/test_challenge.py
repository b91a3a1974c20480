# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import errno
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import challenge
from ansible_collections.composeops.stack.plugins.module_utils.certificates.challenge import Answer
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.servers import free_port, http_server

URL = "http://a.test/.well-known/acme-challenge/t"
PATH = "/var/www/acme/.well-known/acme-challenge/t"
WANTED = WantedCertificate("a.test", ("a.test", "www.a.test"))


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        pytest.param([Answer("10.0.0.9", 200, "t\n")], "", id="right"),
        pytest.param([], "a.test does not resolve on this host.", id="no-address"),
        pytest.param(
            [Answer("10.0.0.9", 404, "<h1>Not\n Found</h1>")],
            f'{URL} should answer with the file {PATH}, but 10.0.0.9 answered 404 "<h1>Not Found</h1>".',
            id="another-server",
        ),
        pytest.param(
            [Answer("10.0.0.9", 200, "hello " * 50)],
            f'{URL} should answer with the file {PATH}, but 10.0.0.9 answered 200 "{("hello " * 50)[:80]}".',
            id="catch-all-site",
        ),
        pytest.param(
            [Answer("10.0.0.9", failure="Nothing listens on 10.0.0.9:80.")],
            f"{URL} should answer with the file {PATH}, but: Nothing listens on 10.0.0.9:80.",
            id="closed-port",
        ),
        pytest.param(
            [Answer("10.0.0.9", 200, "t"), Answer("fd00::9", 404, "")],
            f'{URL} should answer with the file {PATH}, but fd00::9 answered 404 "".',
            id="one-address-of-two",
        ),
        pytest.param(
            [Answer("fd00::9", failure="no route", unreachable=True), Answer("10.0.0.9", 200, "t")],
            "",
            id="ipv6-cannot-be-judged-from-here",
        ),
        pytest.param(
            [Answer("fd00::9", failure="no route", unreachable=True)],
            "a.test resolves to fd00::9, which this host cannot reach.",
            id="no-address-can-be-judged",
        ),
    ],
)
def test_answers_are_judged(answers: list[Answer], problem: str) -> None:
    assert challenge.judge("a.test", URL, PATH, "t", answers) == problem


def test_every_name_is_tried_with_a_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    fetched: list[str] = []

    def fetch(url: str, address: str) -> Answer:
        fetched.append(url)
        return Answer(address, 200, (tmp_path / url.removeprefix("http://").partition("/")[2]).read_text())

    challenge.check(WANTED, str(tmp_path), resolve=lambda name: ["10.0.0.9"], fetch=fetch)
    assert [url.split("/")[2] for url in fetched] == ["a.test", "www.a.test"]
    assert list((tmp_path / challenge.CHALLENGES).iterdir()) == []


def test_a_failure_names_every_name_that_failed_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ComposeOpsError) as raised:
        challenge.check(
            WANTED,
            str(tmp_path),
            resolve=lambda name: [] if name == "a.test" else ["10.0.0.9"],
            fetch=lambda url, address: Answer(address, 404, "nope"),
        )
    message = str(raised.value)
    assert message.startswith("a.test: no certificate was requested")
    assert "a.test does not resolve on this host." in message
    assert f"the file {tmp_path}/.well-known/acme-challenge/composeops-" in message
    assert '10.0.0.9 answered 404 "nope"' in message
    assert list((tmp_path / challenge.CHALLENGES).iterdir()) == []


def test_a_redirect_is_an_answer_not_a_direction() -> None:
    def redirect(request: BaseHTTPRequestHandler) -> None:
        request.send_response(301)
        request.send_header("Location", "https://elsewhere.test/")
        request.end_headers()

    with http_server(redirect) as port:
        answer = challenge.fetch(f"http://a.test:{port}/x", "127.0.0.1")
    assert (answer.status, answer.failure) == (301, "")


def test_a_closed_port_is_a_failure_that_can_be_judged() -> None:
    answer = challenge.fetch(f"http://a.test:{free_port()}/x", "127.0.0.1")
    assert "Nothing listens on 127.0.0.1" in answer.failure
    assert not answer.unreachable


def test_a_missing_route_cannot_be_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_route(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr("socket.create_connection", no_route)
    assert challenge.fetch("http://a.test/x", "2001:db8::9").unreachable


def test_a_name_without_address_resolves_to_nothing() -> None:
    assert challenge.resolve("no-such-name.invalid") == []
