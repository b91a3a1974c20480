"""Every acknowledged write is in the database, once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from tests.load.http1 import Answer
from tests.load.observations import Writes
from tests.load.systems import Target

PAGE = 1000
OK = 200

Ask = Callable[[Target], Awaitable[Answer]]
Row = tuple[str, int]
"""request_id and id."""


class Unreadable(Exception):
    """The application did not tell what is in the database."""


def compare(acknowledged: Mapping[str, int], unanswered: Collection[str], stored: Sequence[Row]) -> Writes:
    """Set what the database has beside what was acknowledged."""
    times = Counter(request_id for request_id, _ in stored)
    numbers = dict(stored)
    return Writes(
        acknowledged=len(acknowledged),
        unanswered=len(unanswered),
        stored=len(stored),
        missing=tuple(sorted(set(acknowledged) - set(times))),
        repeated=tuple(sorted(request_id for request_id, count in times.items() if count > 1)),
        renumbered=tuple(
            sorted(name for name, number in acknowledged.items() if name in numbers and numbers[name] != number)
        ),
    )


async def read_back(ask: Ask, write: Target, prefix: str, after: int) -> list[Row]:
    """Return what is stored of this run; ``after`` is an id below all of its own.

    Read in two ways, listed and counted, because a list with a hole would otherwise look like a lost write.
    """
    rows: list[Row] = []
    while True:
        page = await _json(ask, write, f"?after={after}&limit={PAGE}")
        rows += [(pet["request_id"], pet["id"]) for pet in page if pet["request_id"].startswith(prefix)]
        if len(page) < PAGE:
            break
        after = page[-1]["id"]
    counted = (await _json(ask, write, f"/count?request_prefix={prefix}"))["count"]
    if counted != len(rows):
        raise Unreadable(f"the database lists {len(rows)} writes of this run and counts {counted}")
    return rows


async def _json(ask: Ask, write: Target, below: str) -> Any:
    path = f"{write.path}{below}"
    answer = await ask(Target(write.service, write.host, path))
    if answer.status != OK:
        raise Unreadable(f"{path} answers {answer.status}")
    return json.loads(answer.body)
