"""Bounds of a run, and what its document and status say."""

from __future__ import annotations

import json

import pytest

from tests.load import cli
from tests.load.mix import Kind
from tests.load.observations import KEEP_ALIVE_RACE, Request, Run
from tests.load.report import Verdict, judge


@pytest.mark.parametrize(
    "arguments",
    [["--duration", "1801"], ["--rate", "1001"], ["--rate", "-1"], ["--round-trip", "1001"], ["--lag-p99", "nan"]],
    ids=" ".join,
)
def test_a_load_is_bounded(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["--inventory", "x", *arguments])
    assert "is not between 0 and" in capsys.readouterr().err


def test_every_verdict_has_a_status_of_its_own() -> None:
    statuses = {cli.STATUS[verdict] for verdict in Verdict} | {cli.CANNOT_START}
    assert len(statuses) == len(Verdict) + 1
    assert cli.STATUS[Verdict.PASSED] == 0


def test_the_document_has_the_judgement_and_everything_seen() -> None:
    race = Request(Kind.POST, "backend", 1.0, 1.0, 1.1, None, "", KEEP_ALIVE_RACE)
    document = cli.document(judge(Run("2026-01-01T00:00:00+00:00", "10.0.0.2", 2.0, 1.0, 0.0, (race,))))
    assert json.loads(json.dumps(document))["failed_by_kind"] == {"post": 1}
    assert (document["verdict"], document["failed"], document["keep_alive_races"]) == ("failed", 1, 1)
    assert document["run"]["requests"]["rows"] == [  # type: ignore[index]
        ["post", "backend", 1.0, 1.0, 1.1, None, "", KEEP_ALIVE_RACE]
    ]
