# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.certificates import ari
from ansible_collections.composeops.stack.plugins.module_utils.certificates.ari import Answer, Window
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import CertificateFacts
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.http import Response

START = datetime(2026, 11, 22, tzinfo=timezone.utc)
WINDOW = Window(START, START + timedelta(days=2))
DIRECTORY, NAME = "https://acme.test/dir", "AKI.SERIAL"
INFO = {"suggestedWindow": {"start": "2026-11-22T00:00:00Z", "end": "2026-11-24T00:00:00.123456789Z"}}


def facts(serial: str, authority_key: str) -> CertificateFacts:
    return CertificateFacts(("a.test",), "CA", START, START, serial, "f", "p", authority_key)


def answers(directory: object, info: object, *, status: int = 200, headers: dict[str, str] | None = None) -> ari.Get:
    def get(url: str) -> Response:
        content, code = (directory, 200) if url == DIRECTORY else (info, status)
        assert url in (DIRECTORY, f"https://acme.test/info/{NAME}")
        return Response(code, headers or {}, json.dumps(content).encode(), 0)

    return get


@pytest.mark.parametrize(
    ("serial", "named"),
    [("87654321", "AIdlQyE"), ("0087654321", "AIdlQyE"), ("7654321", "B2VDIQ"), ("0", "AA")],
    ids=["rfc-9773", "as-some-openssl-prints-it", "odd-digits", "zero"],
)
def test_a_certificate_is_named_by_its_authoritys_key_and_its_serial_number(serial: str, named: str) -> None:
    key = "69885b6b87464041e1b37b847ba0ae2cde01c8d4"
    assert ari.identifier(facts(serial, key)) == f"aYhba4dGQEHhs3uEe6CuLN4ByNQ.{named}"


def test_a_certificate_that_does_not_tell_its_authoritys_key_has_no_name() -> None:
    assert ari.identifier(facts("01", "")) == ""


def test_the_authority_tells_its_window_and_when_to_ask_again() -> None:
    get = answers({"renewalInfo": "https://acme.test/info/"}, INFO, headers={"retry-after": "3600"})
    answer = ari.ask(DIRECTORY, NAME, get=get)
    assert answer == Answer(WINDOW, 3600)


@pytest.mark.parametrize("directory", [{}, {"renewalInfo": None}], ids=["none", "null"])
def test_an_authority_without_such_a_service_is_not_asked(directory: object) -> None:
    assert ari.ask(DIRECTORY, NAME, get=answers(directory, None)) is None


@pytest.mark.parametrize(
    ("info", "status"),
    [
        (INFO, 500),
        ([], 200),
        ({}, 200),
        ({"suggestedWindow": {"start": "2026-11-22T00:00:00Z", "end": "soon"}}, 200),
        ({"suggestedWindow": {"start": "2026-11-24T00:00:00Z", "end": "2026-11-22T00:00:00Z"}}, 200),
    ],
    ids=["status", "no-object", "no-window", "no-time", "end-before-beginning"],
)
def test_an_answer_that_cannot_be_read_is_an_error(info: object, status: int) -> None:
    get = answers({"renewalInfo": "https://acme.test/info"}, info, status=status)
    with pytest.raises(ComposeOpsError, match=r"https://acme\.test/info/AKI\.SERIAL answered"):
        ari.ask(DIRECTORY, NAME, get=get)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3600", 3600), ("0", 60), ("999999", 86400), ("", 21600), ("Sun, 22 Nov 2026 00:00:00 GMT", 21600)],
)
def test_waiting_has_reasonable_limits(header: str, seconds: int) -> None:
    assert ari.retry_after(header) == seconds


def test_renewals_are_spread_over_the_window_and_one_certificate_keeps_its_moment() -> None:
    moments = [ari.moment(WINDOW, f"{number:x}") for number in range(64)]
    assert all(WINDOW.start <= moment <= WINDOW.end for moment in moments)
    assert max(moments) - min(moments) > timedelta(days=1)
    assert ari.moment(WINDOW, "1") == ari.moment(WINDOW, "1")
