"""Acknowledged writes against stored ones."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.load import writes
from tests.load.http1 import Answer
from tests.load.systems import Target

WRITE = Target("backend", "app.petcare.com", "/api/pets")
ACKNOWLEDGED = {"x-1": 11, "x-2": 12}


def test_all_stored_once() -> None:
    compared = writes.compare(ACKNOWLEDGED, [], [("x-1", 11), ("x-2", 12)])
    assert compared.ok
    assert (compared.acknowledged, compared.stored) == (2, 2)


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        pytest.param([("x-2", 12)], ("missing", ("x-1",)), id="missing"),
        pytest.param([("x-1", 11), ("x-2", 12), ("x-1", 13)], ("repeated", ("x-1",)), id="repeated"),
        pytest.param([("x-1", 11), ("x-2", 99)], ("renumbered", ("x-2",)), id="another-id"),
    ],
)
def test_what_is_not_as_acknowledged_is_named(
    stored: list[tuple[str, int]], found: tuple[str, tuple[str, ...]]
) -> None:
    compared = writes.compare(ACKNOWLEDGED, [], stored)
    assert not compared.ok
    assert getattr(compared, found[0]) == found[1]


def test_a_write_without_an_answer_may_be_stored_or_not() -> None:
    assert writes.compare(ACKNOWLEDGED, ["x-3", "x-4"], [("x-1", 11), ("x-2", 12), ("x-3", 13)]).ok


class Application:
    """Answers as the sample application does, of these rows."""

    def __init__(self, rows: list[tuple[str, int]], *, counts: int | None = None, status: int = 200) -> None:
        self._rows = rows
        self._counts = counts
        self._status = status
        self.asked = 0

    async def ask(self, target: Target) -> Answer:
        self.asked += 1
        url = urlsplit(target.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        document: object
        if url.path == "/api/pets/count":
            prefix = query["request_prefix"]
            counted = sum(name.startswith(prefix) for name, _ in self._rows)
            document = {"count": counted if self._counts is None else self._counts}
        else:
            later = [row for row in self._rows if row[1] > int(query["after"])][: int(query["limit"])]
            document = [{"request_id": name, "id": number, "name": "Load"} for name, number in later]
        return Answer(self._status, {}, json.dumps(document).encode())


def test_only_this_runs_writes_are_read_back() -> None:
    application = Application([("x-1", 11), ("other", 12), ("x-2", 13)])
    assert asyncio.run(writes.read_back(application.ask, WRITE, "x-", 10)) == [("x-1", 11), ("x-2", 13)]


def test_pages_are_read_to_the_end() -> None:
    rows = [(f"x-{number}", number) for number in range(1, 2 * writes.PAGE + 1)]
    application = Application(rows)
    assert asyncio.run(writes.read_back(application.ask, WRITE, "x-", 0)) == rows
    assert application.asked == 4


def test_a_list_and_a_count_that_differ_prove_nothing() -> None:
    application = Application([("x-1", 11)], counts=2)
    with pytest.raises(writes.Unreadable, match="lists 1 writes of this run and counts 2"):
        asyncio.run(writes.read_back(application.ask, WRITE, "x-", 0))


def test_an_application_that_does_not_answer_is_not_taken_for_an_empty_database() -> None:
    application = Application([], status=503)
    with pytest.raises(writes.Unreadable, match="answers 503"):
        asyncio.run(writes.read_back(application.ask, WRITE, "x-", 0))
