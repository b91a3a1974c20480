# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is run in containers, and what of it is decided by files of a server."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.file_swap import NEW
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import (
    base,
    receiver,
    restore,
    scratch,
    sql,
    verify,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.plan import moment
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.scratch import Scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.postgres_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

SOURCE = Source("app-db.Main", "postgres_cluster", "shop", "db", "postgres", "app", "DB", port=5432)
PLACE = Place(SOURCE, "sha256:1", "abc")


def test_the_receiver_sees_its_spool_and_nothing_else() -> None:
    argv = receiver.command(PLACE, "/var/lib/composeops/wal/x")
    line = " ".join(argv)
    assert "--network container:abc --read-only --cap-drop ALL" in line
    assert [word for word in argv if "type=" in word] == ["type=bind,source=/var/lib/composeops/wal/x,target=/spool"]
    assert "--slot=composeops_wal_app_db_main" in argv
    assert "DB" not in argv, "the password comes on its input"


def test_the_server_that_recovers_has_no_network_and_stops_at_the_moment() -> None:
    place = Scratch(
        SOURCE, RecordedRunner(), "sha256:1", ("--volumes-from", "abc"), "/data", "new", "helper", ("-c", "a=1")
    )
    argv = place.command("70:70", "/log", scratch.up_to(moment("2026-01-31T13:00:00.5+01:00")))
    line = " ".join(argv)
    assert "--network none --user 70:70 --cap-drop ALL" in line
    assert argv[-1] == "recovery_target_time=2026-01-31 12:00:00.500000+00"
    assert argv.index("a=1") < argv.index("listen_addresses="), "what the stack says does not win"
    assert "recovery_target_timeline=current" in argv
    assert scratch.up_to(None) == []


def test_names_of_slots_are_what_postgresql_takes() -> None:
    assert sql.slot("app-db.Main") == "composeops_wal_app_db_main"
    assert len(sql.base_slot("x" * 100)) < 64


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"Env": ["PGDATA=/pg/data", "X=1"]}, "/pg/data"),
        ({"Env": None}, "/var/lib/postgresql/data"),
        ({"Env": ["PGDATA="]}, "/var/lib/postgresql/data"),
    ],
)
def test_the_data_directory_is_what_the_container_was_given(configuration: dict[str, Any], expected: str) -> None:
    assert restore.directory({"Config": configuration}) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["postgres", "-c", "max_connections=150"], ("-c", "max_connections=150")),
        (["postgres"], ()),
        (["sh", "-c", "exec postgres"], ()),
        (None, ()),
    ],
)
def test_what_the_stack_gives_the_server_is_given_to_the_one_that_recovers(
    command: list[str] | None, expected: tuple[str, ...]
) -> None:
    assert restore.server_options({"Config": {"Cmd": command}}) == expected


def test_every_name_is_swapped_but_what_restores_have_put_there(tmp_path: Path) -> None:
    for name in (
        "base",
        "PG_VERSION",
        ".hidden",
        "pgsql_tmp.composeops-before-1",
        NEW,
        f"{NEW}/base",
        f"{NEW}/pg_xact",
    ):
        (tmp_path / name).mkdir()
    argv = ["sh", "-c", restore._NAMES, "sh", str(tmp_path)]
    listed = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert sorted(listed) == [".hidden", "PG_VERSION", "base", "pg_xact"]


FOUND = {
    "server_version": "15.4",
    "server_version_num": 150004,
    "segment": "000000020000000000000004",
    "wal_segment_size": 16 << 20,
    "tablespaces": None,
    "system_identifier": "7001",
}


def test_a_server_is_described_with_its_timeline() -> None:
    described = base.describe(FOUND)
    assert described["timeline"] == 2
    assert "segment" not in described
    assert "tablespaces" not in described


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"server_version_num": 140009, "server_version": "14.9"}, "14.9 is too old"),
        ({"tablespaces": ["fast", "slow"]}, r"tablespaces of its own \(fast, slow\)"),
    ],
)
def test_what_could_not_be_brought_back_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ComposeOpsError, match=said):
        base.describe({**FOUND, **changed})


LISTED = json.dumps({"Files": [{"Path": "PG_VERSION", "Size": 3}, {"Path": "base/1/2", "Size": 8192}]}).encode()


@pytest.mark.parametrize(
    ("content", "sizes", "expected"),
    [
        (LISTED, {"PG_VERSION": 3, "base/1/2": 8192, "backup_manifest": 9}, []),
        (LISTED, {"PG_VERSION": 3}, ["base/1/2 has no bytes instead of 8192"]),
        (LISTED, {"PG_VERSION": 2, "base/1/2": 8192}, ["PG_VERSION has 2 bytes instead of 3"]),
        (b"", {"PG_VERSION": 3}, ["backup_manifest cannot be read"]),
    ],
)
def test_an_archive_is_held_to_the_servers_own_list(content: bytes, sizes: dict[str, int], expected: list[str]) -> None:
    assert verify.differences(content, sizes) == expected
