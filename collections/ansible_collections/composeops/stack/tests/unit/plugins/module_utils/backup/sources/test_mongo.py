# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command lines of MongoDB's tools, and their scripts in a real shell."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import mongo, mongo_restore
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.secrets import store

SOURCE = Source("documents", "mongo", "shop", "mongodb", "shop", "root", "MONGO_PASSWORD", port=27017)
OPEN = Source("documents", "mongo", "shop", "mongodb", "shop", port=27017)
PASSWORD = 'it\'s "quoted" \\ and: #odd'


def manifest(**changes: Any) -> Manifest:
    origin = {"server_version": "7.0.12", "database": "shop", "oplog": False, "views": [], **changes}
    return Manifest("id", "documents", "h", "mongo", "", "", (), origin)


def test_one_server_is_dumped_by_database_and_a_replica_set_whole_with_its_log() -> None:
    assert mongo.dump_options(SOURCE, False) == ["--db=shop", "--excludeCollectionsWithPrefix=composeops."]
    assert mongo.dump_options(SOURCE, True) == ["--oplog"]


def test_a_restore_renames_the_collections_on_their_way_and_leaves_views_out() -> None:
    assert mongo_restore.restore_options(manifest(views=["recent"]), "S") == [
        "--drop",
        "--stopOnError",
        "--nsInclude=shop.*",
        "--nsExclude=shop.recent",
        "--nsFrom=shop.*",
        "--nsTo=shop.composeops.new_S.*",
    ]


def test_a_log_of_writes_is_replayed_under_the_names_it_was_written_with() -> None:
    assert mongo_restore.restore_options(manifest(oplog=True), "S") == [
        "--drop",
        "--stopOnError",
        "--oplogReplay",
        "--nsExclude=admin.*",
        "--nsExclude=config.*",
    ]


@pytest.mark.parametrize(
    ("changes", "version", "replica_set", "message"),
    [
        pytest.param({}, "6.0.1", False, "is of MongoDB 7; the server is 6", id="older server"),
        pytest.param({"oplog": True}, "7.0.12", False, "is of a replica set; this server is none", id="alone"),
    ],
)
def test_a_server_that_cannot_take_the_backup_is_refused(
    changes: dict[str, Any], version: str, replica_set: bool, message: str
) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        mongo_restore.check_server(manifest(**changes), version, replica_set)


@pytest.mark.parametrize("version", ["7.0.0", "8.2.1"])
def test_the_same_major_version_and_newer_ones_are_taken(version: str) -> None:
    mongo_restore.check_server(manifest(), version, False)


def in_this_shell(argv: list[str]) -> list[str]:
    """Return what `docker exec` would run, without it."""
    assert argv[:4] == ["docker", "exec", "--interactive", "container"]
    return argv[4:]


@pytest.fixture
def program(tmp_path: Path) -> str:
    """Say every argument, what the file behind --config holds, and the input."""
    script = tmp_path / "tool"
    script.write_text('#!/bin/sh\nfor last; do echo "$last"; done\ncat "${last#--config=}"\ncat\n')
    script.chmod(0o755)
    return str(script)


def test_the_password_is_in_a_file_without_a_name_and_in_no_argument(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "get", lambda stack, name: PASSWORD)
    argv = in_this_shell(mongo.tool(SOURCE, "container", program, "--drop"))
    assert not any("quoted" in word for word in argv)
    before = sorted(Path("/dev/shm").glob("composeops.*"))
    ended = subprocess.run(
        argv, input=f"{mongo.secret(SOURCE)}\nthe archive", capture_output=True, text=True, check=True
    )
    arguments, _, rest = ended.stdout.partition("--config=/dev/fd/3\n")
    assert arguments.splitlines() == [
        "--host=127.0.0.1",
        "--port=27017",
        "--username=root",
        "--authenticationDatabase=admin",
        "--archive",
        "--drop",
    ]
    assert rest == 'password: "it\'s \\"quoted\\" \\\\ and: #odd"\nthe archive'
    assert sorted(Path("/dev/shm").glob("composeops.*")) == before


def test_a_server_without_users_gets_no_login() -> None:
    argv = in_this_shell(mongo.tool(OPEN, "container", "cat"))
    assert argv[4:] == ["cat", "--host=127.0.0.1", "--port=27017", "--archive"]
    assert mongo.secret(OPEN) == ""
