"""What a run means."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from tests.load import observations
from tests.load.mix import Kind
from tests.load.observations import Request, Run, Session, Writes
from tests.load.report import Limits, Report, Verdict, judge, percentile
from tests.load.table import table, text


def request(at: float, **changes: Any) -> Request:
    """A keep-alive request to the backend, sent in time and answered after 10 ms."""
    lag, took = changes.pop("lag", 0.0), changes.pop("took", 0.01)
    sent = Request(Kind.KEEP_ALIVE, "backend", at, at + lag, at + lag + took, 200, "1.0.0", "")
    return dataclasses.replace(sent, **changes)


def session(client: int = 0, **changes: Any) -> Session:
    held = Session(client, -0.2, -0.1, 10.0, "1.0.0", 10, observations.CLOSED_BY_US, "", "")
    return dataclasses.replace(held, **changes)


def run(*requests: Request, **changes: Any) -> Run:
    seen = Run("2026-01-01T00:00:00+00:00", "10.0.0.2", 10.0, 1.0, 0.02, requests, websockets=1)
    return dataclasses.replace(seen, **changes)


STEADY = tuple(request(float(second)) for second in range(10))


def test_a_run_in_which_all_went_well_passes() -> None:
    report = judge(run(*STEADY, sessions=(session(),), writes=Writes(acknowledged=3, stored=3)))
    assert report.verdict is Verdict.PASSED
    assert report.passed
    assert report.reasons == ()
    assert (report.sent, report.failed, report.keep_alive_races) == (11, 0, 0)


def test_failures_are_counted_by_kind_and_error() -> None:
    report = judge(
        run(
            *STEADY,
            request(1.5, status=502, error="status 502"),
            request(2.5, status=502, error="status 502"),
            request(3.5, kind=Kind.FRESH, error="not connected: refused"),
        )
    )
    assert report.verdict is Verdict.FAILED
    assert report.failed == 3
    assert report.kinds[Kind.KEEP_ALIVE].errors == {"status 502": 2}
    assert report.kinds[Kind.FRESH].failed == 1
    assert report.failing == (1.5, 3.5)


def test_keep_alive_races_fail_and_are_counted_on_their_own() -> None:
    report = judge(run(*STEADY, request(1.5, status=None, error=observations.KEEP_ALIVE_RACE)))
    assert report.verdict is Verdict.FAILED
    assert (report.failed, report.keep_alive_races) == (1, 1)


@pytest.mark.parametrize(
    ("late", "lag", "verdict"),
    [
        pytest.param(0, 0.0, Verdict.PASSED, id="in-time"),
        pytest.param(1, 0.5, Verdict.PASSED, id="one-in-a-hundred-somewhat-late"),
        pytest.param(2, 0.5, Verdict.INVALID, id="more-than-one-in-a-hundred-late"),
        pytest.param(1, 1.5, Verdict.INVALID, id="a-single-stall"),
    ],
)
def test_a_generator_that_fell_behind_makes_the_run_invalid(late: int, lag: float, verdict: Verdict) -> None:
    requests = [request(number / 10, lag=lag if number < late else 0.0) for number in range(100)]
    assert judge(run(*requests)).verdict is verdict


def test_a_run_that_fell_behind_is_invalid_even_when_requests_failed() -> None:
    report = judge(run(request(1.0, lag=5.0, error="status 502")))
    assert report.verdict is Verdict.INVALID
    assert [reason.split(":")[0] for reason in report.reasons] == [
        "the generator fell behind",
        "the generator fell behind",
        "1 requests failed",
    ]


def test_the_limits_of_lag_can_be_given() -> None:
    late = run(*(request(float(second), lag=0.05) for second in range(10)))
    assert judge(late).passed
    assert judge(late, Limits(lag_p99=0.04)).verdict is Verdict.INVALID


def test_a_run_that_sent_nothing_does_not_pass() -> None:
    assert judge(run()).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("writes", "reason"),
    [
        (Writes(missing=("x-1", "x-2")), "2 acknowledged writes are not in the database, the first is x-1"),
        (Writes(repeated=("x-1",)), "1 acknowledged writes are in the database more than once, the first is x-1"),
        (Writes(renumbered=("x-1",)), "1 acknowledged writes are in the database under another id, the first is x-1"),
        (Writes(unread="it is down"), "acknowledged writes could not be compared with the database: it is down"),
    ],
    ids=["missing", "repeated", "renumbered", "unread"],
)
def test_a_write_that_is_not_stored_as_acknowledged_fails_the_run(writes: Writes, reason: str) -> None:
    report = judge(run(*STEADY, writes=writes))
    assert report.verdict is Verdict.FAILED
    assert report.reasons == (reason,)


def test_writes_without_an_answer_are_no_reason_of_their_own() -> None:
    assert judge(run(*STEADY, writes=Writes(acknowledged=3, unanswered=1, stored=4))).passed


@pytest.mark.parametrize(
    ("answered", "seconds", "begins"),
    [
        pytest.param([1, 2, 6, 9], 4.0, 2.0, id="between-two-answers"),
        pytest.param([5, 6, 7, 8, 9], 5.0, 0.0, id="from-the-start"),
        pytest.param([1, 2, 3, 4], 6.0, 4.0, id="to-the-end"),
        pytest.param([], 10.0, 0.0, id="never"),
    ],
)
def test_an_outage_is_the_longest_time_without_a_right_answer(
    answered: list[int], seconds: float, begins: float
) -> None:
    failed = request(0.5, took=0.0, error="status 502")
    found = judge(run(failed, *(request(float(at), took=0.0) for at in answered))).outage
    assert (found.service, found.seconds, found.begins) == ("backend", seconds, begins)


def test_a_service_that_is_down_is_seen_while_the_others_answer() -> None:
    portal = [request(float(at), took=0.0, service="portal") for at in (1, 2, 9)]
    report = judge(run(*STEADY, *portal))
    assert (report.outage.service, report.outage.seconds) == ("portal", 7.0)
    assert [found.service for found in report.gaps] == ["portal", "backend"]


def test_slow_answers_do_not_make_an_outage_longer_or_shorter() -> None:
    slow = request(3.0, took=1.0, kind=Kind.SLOW)
    answered = [request(float(at), took=0.0) for at in (1, 2, 6, 9)]
    assert judge(run(slow, *answered)).outage.seconds == 4.0


def test_versions_are_seen_per_service_in_their_order() -> None:
    requests = [request(float(at), took=0.0, version="1.1.0" if at > 4 else "1.0.0") for at in range(10)]
    requests.append(request(9.5, error="status 502", version=""))
    requests.append(request(3.5, kind=Kind.SLOW, took=5.0))
    versions = judge(run(*requests)).versions
    assert [(seen.version, seen.first, seen.last, seen.answers) for seen in versions] == [
        ("1.0.0", 0.0, 4.0, 5),
        ("1.1.0", 5.0, 9.0, 5),
    ]


def test_closes_are_counted_by_code_and_left_to_the_caller() -> None:
    sessions = (
        session(0, ended=4.0, close_code=1012),
        session(0, asked=4.2, opened=4.5),
        session(1, ended=5.0, close_code=1006),
        session(1, asked=5.2, opened=5.3),
    )
    report = judge(run(*STEADY, sessions=sessions, websockets=2))
    assert report.passed
    assert report.sockets.closes == {1012: 1, 1006: 1}
    assert report.sockets.longest_without == pytest.approx(0.5)


def test_a_websocket_that_cannot_be_opened_is_a_failed_request() -> None:
    refused = session(0, asked=4.2, opened=None, close_code=None, error="status 502", ended=4.3)
    report = judge(run(*STEADY, sessions=(session(0, ended=4.0, close_code=1012), refused)))
    assert report.verdict is Verdict.FAILED
    assert report.kinds[Kind.WEBSOCKET].errors == {"status 502": 1}
    assert report.sockets.longest_without == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.99, 0.0), ([3.0], 0.5, 3.0), ([float(n) for n in range(1, 101)], 0.99, 99.0), ([1.0, 2.0], 0.5, 1.0)],
    ids=["none", "one", "hundred", "two"],
)
def test_percentile(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_a_run_survives_json() -> None:
    seen = run(
        *STEADY,
        request(1.5, status=None, error=observations.TIMED_OUT),
        sessions=(session(),),
        writes=Writes(acknowledged=2, stored=1, missing=("x-1",)),
    )
    assert observations.from_document(json.loads(json.dumps(observations.to_document(seen)))) == seen


@pytest.fixture
def failed() -> Report:
    race = request(1.5, status=None, error=observations.KEEP_ALIVE_RACE)
    closed = session(0, ended=4.0, close_code=1012)
    return judge(run(*STEADY, race, sessions=(closed,), writes=Writes(acknowledged=2, stored=2)))


@pytest.mark.parametrize(
    "line",
    [
        "keep-alive 11 1 10 ms 10 ms 10 ms 1x keep-alive race",
        "keep-alive races (among the failed) 1",
        "backend 1.0.0 0.01 s 9.01 s 10 1000 ms",
        "Requests failed that were due between 1.50 s and 1.50 s",
    ],
)
def test_the_table_says_it_all(failed: Report, line: str) -> None:
    assert line in [" ".join(written.split()) for written in text(failed).splitlines()]


def test_the_verdict_comes_last(failed: Report) -> None:
    assert str(failed).splitlines()[-2:] == ["FAILED", "  1 requests failed"]


def test_columns_are_aligned() -> None:
    assert table(["a", "long"], [["wide", "b"]]) == "a     long\n----  ----\nwide  b"
