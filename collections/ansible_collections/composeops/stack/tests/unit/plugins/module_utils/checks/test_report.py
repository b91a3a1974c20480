"""Tables and messages about results."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.checks import report
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import (
    Check,
    HttpCheck,
    RedisCheck,
    Result,
    Verdict,
)
from ansible_collections.composeops.stack.plugins.module_utils.checks.observation import (
    Answered,
    Failure,
    Observation,
    Replied,
)
from ansible_collections.composeops.stack.plugins.module_utils.io.http import Certificate, Response

REDIS = RedisCheck("cache", stack="shop", service="redis")
APP = HttpCheck("app", url="https://app.example/")
GOOD = Verdict(True, "PONG")
BAD = Verdict(False, "no PONG", "it said 'no'.", "Look at the log.")


def result(check: Check, verdict: Verdict, attempts: int = 1, observation: Observation | None = None) -> Result:
    return Result(check, verdict, observation or Replied(""), 0.25, attempts)


def test_failure_names_check_reason_and_next_step() -> None:
    assert report.failure([result(APP, GOOD), result(REDIS, BAD, attempts=3)]) == (
        "1 of 2 checks failed.\n- cache (redis shop/redis): it said 'no'. (after 3 attempts) Look at the log."
    )


def test_no_failure_no_message() -> None:
    assert report.failure([result(REDIS, GOOD)]) == ""


@pytest.mark.parametrize(
    ("verdict", "attempts", "word", "seen"),
    [(GOOD, 1, "ok", "PONG"), (GOOD, 2, "ok, attempt 2", "PONG"), (BAD, 3, "FAILED", "it said 'no'")],
    ids=["at-once", "later", "failed"],
)
def test_row_tells_how_it_went(verdict: Verdict, attempts: int, word: str, seen: str) -> None:
    assert report.rows([result(REDIS, verdict, attempts)]) == [["cache", "redis", "shop/redis", word, seen, "0.2 s"]]


def test_web_addresses_have_status_and_certificate() -> None:
    certificate = Certificate(
        datetime(2026, 10, 4, tzinfo=timezone.utc),
        datetime(2027, 1, 2, tzinfo=timezone.utc),
        ("app.example",),
        "CA",
        "",
    )
    seen = Answered(Response(200, {}, b"", 0.1, certificate))
    plain = HttpCheck("plain", url="http://app.example/")
    results = [
        result(APP, GOOD, observation=seen),
        result(plain, GOOD, observation=Answered(Response(301, {}, b"", 0.1))),
        result(HttpCheck("gone", url="https://gone.example/"), BAD, observation=Failure("refused")),
        result(REDIS, GOOD),
    ]
    assert report.urls(results) == [
        ["https://app.example/", "200", "2027-01-02, by CA"],
        ["http://app.example/", "301", "-"],
        ["https://gone.example/", "no answer", "-"],
    ]


@pytest.mark.parametrize(
    ("verdict", "titles"),
    [(GOOD, ["Checks", "What to try next"]), (BAD, ["Checks"])],
    ids=["after-a-good-end", "after-a-bad-end"],
)
def test_next_steps_are_for_a_good_end(verdict: Verdict, titles: list[str]) -> None:
    tables = report.tables("Checks", [result(REDIS, verdict)], [{"purpose": "stop", "command": "make down"}])
    assert [table["title"] for table in tables] == titles


def test_record_is_plain_data() -> None:
    assert report.records([result(REDIS, BAD, 2)]) == [
        {
            "name": "cache",
            "type": "redis",
            "target": "shop/redis",
            "ok": False,
            "observed": "no PONG",
            "reason": "it said 'no'.",
            "remedy": "Look at the log.",
            "seconds": 0.25,
            "attempts": 2,
        }
    ]
