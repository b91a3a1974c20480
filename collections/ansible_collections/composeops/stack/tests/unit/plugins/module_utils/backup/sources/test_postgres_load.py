# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import postgres_load
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Beside, Place
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Completed

HERE = Place(Source("database", "postgres", "shop", "postgres", "shop", "shop"), "sha256:1", "abc")
ELSEWHERE = Place(
    Source("database", "postgres", "shop", database="shop", user="shop", host="db.test", image="postgres:15"),
    "postgres:15",
)
SAME = "6432 1763836255.123 16385\n"


class Asked:
    """A runner that is the server, as seen from its own container and from another."""

    def __init__(self, beside: Completed) -> None:
        self._beside = beside
        self.argvs: list[list[str]] = []

    def run(self, argv: Sequence[str], **_: Any) -> Completed:
        self.argvs.append(list(argv))
        return self._beside if "--mount" in argv else Completed((), 0, SAME, "")


@pytest.fixture(name="fed")
def fed_fixture(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str | None]]:
    """What was run at last, and the file that it was handed."""
    fed: list[tuple[list[str], str | None]] = []
    monkeypatch.setattr(postgres_load, "feed", lambda argv, path, **_: fed.append((list(argv), path)))
    monkeypatch.setattr(postgres_load.os, "cpu_count", lambda: 8)
    return fed


def load(asked: Asked, place: Place = HERE) -> int:
    return postgres_load.load(asked, place, "shop_restoring", "/state/x/database.pgdump", deadline=time.monotonic() + 9)


def test_a_server_that_lets_clients_in_beside_it_is_loaded_by_several_jobs_from_the_file(
    fed: list[tuple[list[str], str | None]],
) -> None:
    assert load(Asked(Completed((), 0, SAME, ""))) == 4
    ((argv, handed),) = fed
    assert argv[:2] == ["docker", "run"]
    assert argv[argv.index("--network") + 1] == "container:abc"
    assert {"PGHOST=127.0.0.1", "PGPORT=6432", "type=bind,source=/state/x,target=/backup,readonly"} <= set(argv)
    assert argv[-2:] == ["--jobs=4", "/backup/database.pgdump"]
    assert handed is None


def test_a_server_elsewhere_is_reached_as_ever(fed: list[tuple[list[str], str | None]]) -> None:
    load(Asked(Completed((), 0, SAME, "")), ELSEWHERE)
    ((argv, handed),) = fed
    assert argv[argv.index("--network") + 1] == "host"
    assert "PGHOST=db.test" in argv
    assert argv[-2:] == ["--jobs=4", "/backup/database.pgdump"]
    assert handed is None


@pytest.mark.parametrize(
    "beside",
    [
        pytest.param(Completed((), 2, "", "no pg_hba.conf entry"), id="it lets nobody in"),
        pytest.param(Completed((), 1, "", ""), id="the file cannot be read there"),
        pytest.param(Completed((), 0, "6432 1763836255.123 16999\n", ""), id="it is another server"),
        pytest.param(Completed((), 0, "", ""), id="it says nothing"),
        pytest.param(Completed((), 2, SAME, "server closed the connection"), id="it answers and fails"),
    ],
)
def test_otherwise_the_dump_is_handed_to_one_job_in_the_servers_own_container(
    fed: list[tuple[list[str], str | None]], beside: Completed
) -> None:
    assert load(Asked(beside)) == 1
    ((argv, handed),) = fed
    assert argv[:4] == ["docker", "exec", "--interactive", "abc"]
    assert [word for word in argv if word.startswith("--jobs")] == []
    assert handed == "/state/x/database.pgdump"


def test_one_processor_has_one_job_and_nothing_is_asked(
    fed: list[tuple[list[str], str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_load.os, "cpu_count", lambda: 1)
    asked = Asked(Completed((), 0, SAME, ""))
    assert load(asked) == 1
    assert asked.argvs == []
    assert fed[0][1] == "/state/x/database.pgdump"


def test_a_container_beside_the_server_is_root_of_nothing_but_the_file() -> None:
    argv = Beside(HERE, "/state/x", "5432").command(["psql"])
    assert argv[argv.index("--user") + 1] == "0:0"
    assert argv[argv.index("--cap-drop") + 1] == "ALL"
    assert "--read-only" in argv
