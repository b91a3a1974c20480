"""What the clients must not have seen is said, by what was done at the time."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.faults.timeline import Timeline, Tolerated, Window, nothing
from tests.load.mix import Kind
from tests.load.observations import Request, Run, Session, Writes
from tests.load.report import judge

STARTED = datetime.fromisoformat("2026-01-01T00:00:00.000+00:00")


def request(due: float, error: str = "", version: str = "1.0.0") -> Request:
    return Request(Kind.FRESH, "backend", due, due, due + 0.1, 200, version, error)


def socket(ended: float, code: int, version: str = "1.0.0") -> Session:
    return Session(0, 0.0, 0.1, ended, version, 3, code, "", "")


def problems(
    *requests: Request,
    sessions: tuple[Session, ...] = (),
    writes: Writes | None = None,
    closes: str = "",
    tolerated: Tolerated = nothing,
) -> list[str]:
    """Judge a run in which a release lasted from second 5 to second 10, and another thing began at second 20."""
    run = Run(STARTED.isoformat(), "10.0.0.2", 30.0, 1.0, 0.02, requests, sessions, 1, writes or Writes())
    timeline = Timeline(
        [
            Window("a release", STARTED + timedelta(seconds=5), closes, tolerated, STARTED + timedelta(seconds=10)),
            Window("another", STARTED + timedelta(seconds=20), "", nothing, STARTED + timedelta(seconds=25)),
        ]
    )
    return timeline.problems(judge(run))


def test_a_run_in_which_all_went_well_has_no_problem() -> None:
    assert problems(request(1), request(7), request(21), sessions=(socket(30, 0),)) == []


@pytest.mark.parametrize(
    ("due", "during"), [(1, "before the first"), (7, "a release"), (12, "a release"), (22, "another")]
)
def test_a_failed_request_is_told_with_what_was_done_last(due: float, during: str) -> None:
    assert problems(request(2), request(due, "status 502")) == [
        f"{during}: 1 requests failed (1x fresh to backend: status 502)"
    ]


def test_what_is_tolerated_is_so_only_while_it_is_expected() -> None:
    def new(found: Request) -> bool:
        return found.version == "1.1.0"

    assert problems(request(6, "status 500", "1.1.0"), tolerated=new) == []
    assert len(problems(request(6, "status 500", "1.0.0"), tolerated=new)) == 1
    assert len(problems(request(21, "status 500", "1.1.0"), tolerated=new)) == 1


@pytest.mark.parametrize(
    ("session", "closes", "fine"),
    [
        pytest.param(socket(9, 1012), "1.0.0", True, id="stopped-with-its-release"),
        pytest.param(socket(9, 1012), "", False, id="nothing-was-to-be-stopped"),
        pytest.param(socket(9, 1012, "1.1.0"), "1.0.0", False, id="of-the-release-that-serves"),
        pytest.param(socket(9, 1006), "1.0.0", False, id="just-gone"),
        pytest.param(socket(22, 1012), "1.0.0", False, id="at-another-time"),
    ],
)
def test_a_websocket_is_closed_only_when_its_service_is_stopped_and_with_the_code_for_it(
    session: Session, closes: str, fine: bool
) -> None:
    assert (problems(request(1), sessions=(session,), closes=closes) == []) is fine


def test_a_websocket_that_could_not_be_opened_is_a_failed_request() -> None:
    refused = Session(0, 7.0, None, 7.1, "", 0, None, "", "status 502")
    assert problems(request(1), sessions=(refused,)) == ["a release: 1 requests failed (1x WebSocket: status 502)"]


def test_a_lost_write_is_told() -> None:
    (problem,) = problems(request(1), writes=Writes(acknowledged=2, stored=1, missing=("x-1",)))
    assert "acknowledged writes are not in the database" in problem
