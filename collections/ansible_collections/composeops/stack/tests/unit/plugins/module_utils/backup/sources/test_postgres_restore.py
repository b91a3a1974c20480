# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres, postgres_restore
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner


def manifest(rows: dict[str, int] | None = None, **origin: Any) -> Manifest:
    base = {"server_version_num": 150018, "extensions": {"plpgsql": "1.0"}}
    return Manifest("id", "database", "h", "postgres", "", "", (), {**base, **origin}, {"rows": rows or {}})


SERVER = {"server_version_num": 150004, "extensions": ["plpgsql", "citext"]}


@pytest.mark.parametrize(
    ("origin", "server"),
    [
        pytest.param({}, {}, id="the same major version"),
        pytest.param({}, {"server_version_num": 170001}, id="a newer one"),
        pytest.param({"extensions": None}, {"extensions": None}, id="no extensions at all"),
    ],
)
def test_a_server_that_can_hold_the_backup(origin: dict[str, Any], server: dict[str, Any]) -> None:
    postgres_restore.check_server(manifest(**origin), {**SERVER, **server})


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        pytest.param({"server_version_num": 160000}, "is of PostgreSQL 16; the server is 15", id="an older server"),
        pytest.param(
            {"extensions": {"postgis": "3", "citext": "1", "vector": "1"}},
            "does not have: postgis, vector",
            id="extensions missing",
        ),
    ],
)
def test_a_server_that_cannot_is_refused(origin: dict[str, Any], message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        postgres_restore.check_server(manifest(**origin), SERVER)


def test_the_same_rows_are_good() -> None:
    postgres_restore.check_rows(manifest({"public.a": 1, "public.b": 0}), {"public.b": 0, "public.a": 1})


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        pytest.param({"public.a": 2, "public.b": 0}, r"public\.a has 2 instead of 1", id="one row more"),
        pytest.param({"public.a": 1}, r"public\.b has no table instead of 0", id="a table is missing"),
        pytest.param({"public.a": 1, "public.b": 0, "c.c": 1}, r"c\.c has 1 instead of no table", id="a table more"),
    ],
)
def test_other_rows_are_refused(counted: dict[str, int], message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        postgres_restore.check_rows(manifest({"public.a": 1, "public.b": 0}), counted)


class Recorded(RecordedRunner):
    """A server whose databases have these tables with rows, by name."""

    def __init__(self, **filled: str) -> None:
        super().__init__(self._answer)
        self.filled = filled

    def _answer(self, argv: Sequence[str]) -> tuple[int, str, str]:
        database = argv[argv.index("--dbname") + 1]
        return 0, "".join(f"{table}\n" for table in self.filled[database].split()), ""


@pytest.mark.parametrize(
    ("filled", "said"),
    [
        ({"app": "", "more": ""}, ""),
        ({"app": "public.a", "more": ""}, "there are rows in app: public.a"),
        ({"app": "a b c", "more": "d"}, "there are rows in app: a, app: b, app: c and 1 more"),
    ],
    ids=["none", "one table", "more than are named"],
)
def test_tables_with_rows_are_data(filled: dict[str, str], said: str) -> None:
    place = Place(Source("database", "postgres", "shop", "postgres", "app", "app"), "i", "c")
    assert postgres.filled(Recorded(**filled), place, ["app", "more"], timeout=9) == said
