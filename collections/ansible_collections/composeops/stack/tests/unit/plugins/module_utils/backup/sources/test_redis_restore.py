# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import (
    redis_place,
    redis_restore,
    redis_scratch,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_client import RedisError
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_place import Place
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.redis_scratch import Loaded
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

SOURCE = Source("redis", "redis", "petcare", "redis")


def manifest(keys: int | None, databases: list[str]) -> Manifest:
    first = {} if keys is None else {"first_database": {"index": 0, "keys": keys, "expiring": 0}}
    return Manifest("id", "redis", "h", "redis", "", "", (), {"databases": databases}, first)


@pytest.mark.parametrize(
    ("backup", "loaded"),
    [
        pytest.param(manifest(5, ["db0"]), Loaded(5, 0), id="all"),
        pytest.param(manifest(5, ["db0"]), Loaded(3, 0, expired=2), id="some expired before they were loaded"),
        pytest.param(manifest(5, ["db0"]), Loaded(4, 2), id="some expired after they were loaded"),
        pytest.param(manifest(0, []), Loaded(0, 0), id="none"),
        pytest.param(manifest(5, ["db0", "db3"]), Loaded(9, 0), id="more in other databases"),
        pytest.param(manifest(None, ["db0"]), Loaded(9, 0), id="not counted"),
    ],
)
def test_a_backup_that_loads_what_was_in_it_is_good(backup: Manifest, loaded: Loaded) -> None:
    redis_restore.check_backup(backup, loaded)


@pytest.mark.parametrize(
    ("backup", "loaded"),
    [
        pytest.param(manifest(5, ["db0"]), Loaded(4, 0), id="one missing"),
        pytest.param(manifest(5, ["db0"]), Loaded(0, 0), id="empty"),
        pytest.param(manifest(5, ["db0"]), Loaded(6, 0), id="one too many"),
        pytest.param(manifest(5, ["db0", "db3"]), Loaded(4, 0), id="one missing of several databases"),
    ],
)
def test_a_backup_that_loads_something_else_is_refused(backup: Manifest, loaded: Loaded) -> None:
    with pytest.raises(ComposeOpsError, match="still serves"):
        redis_restore.check_backup(backup, loaded)


@pytest.mark.parametrize(("expected", "loaded"), [(Loaded(5, 0), 5), (Loaded(5, 2), 3), (Loaded(0, 0), 0)])
def test_the_server_may_have_lost_only_what_may_expire(expected: Loaded, loaded: int) -> None:
    redis_restore.check_server(SOURCE, expected, loaded)


@pytest.mark.parametrize(("expected", "loaded"), [(Loaded(5, 0), 0), (Loaded(5, 2), 2), (Loaded(5, 0), 6)])
def test_a_server_that_starts_with_something_else_is_refused(expected: Loaded, loaded: int) -> None:
    with pytest.raises(ComposeOpsError, match=f"loaded {loaded} keys of the 5"):
        redis_restore.check_server(SOURCE, expected, loaded)


CONFIGURATION = {
    "dir": "/data",
    "dbfilename": "dump.rdb",
    "appendonly": "yes",
    "appenddirname": "appendonlydir",
    "appendfilename": "appendonly.aof",
}


def test_the_place_is_what_the_server_says() -> None:
    assert redis_place.from_configuration(CONFIGURATION) == Place(
        "/data", "dump.rdb", "appendonlydir", "appendonly.aof"
    )
    without = {**CONFIGURATION, "appendonly": "no", "dbfilename": "other.rdb"}
    assert redis_place.from_configuration(without) == Place(
        "/data", "other.rdb", "appendonlydir", "appendonly.aof", append_only=False
    )


def test_a_version_without_a_directory_for_append_only_files_is_known_by_that() -> None:
    old = {name: value for name, value in CONFIGURATION.items() if name != "appenddirname"}
    assert "--appenddirname" not in redis_scratch.arguments(redis_place.from_configuration(old))


def test_a_server_that_does_not_run_is_not_asked() -> None:
    assert redis_place.find(SOURCE, {"State": {"Running": False}}) == Place()


@pytest.mark.parametrize(
    ("directory", "mounts", "expected"),
    [
        ("/data", ["/data"], True),
        ("/data/redis", ["/data"], True),
        ("/data", ["/"], True),
        ("/data", ["/database"], False),
        ("/data", ["/data/redis"], False),
        ("/data", [], False),
    ],
)
def test_whether_data_is_on_a_volume(directory: str, mounts: list[str], expected: bool) -> None:
    assert redis_place.on_volume(directory, [{"Destination": mount} for mount in mounts]) is expected


def test_the_throw_away_server_has_no_port_and_reads_the_new_dump_only() -> None:
    assert redis_scratch.arguments(Place(append_directory="appendonlydir")) == [
        *("--dir", "/data/.composeops-restoring", "--dbfilename", "dump.rdb", "--appendonly", "no"),
        *("--appendfilename", "appendonly.aof", "--save", "", "--port", "0"),
        *("--unixsocket", "/tmp/composeops.sock", "--daemonize", "no", "--appenddirname", "appendonlydir"),
    ]


def test_keys_are_counted_over_all_databases() -> None:
    keyspace = {"db0": "keys=5,expires=2,avg_ttl=100", "db3": "keys=1,expires=0,avg_ttl=0,subexpiry=0"}
    assert redis_scratch.counts(keyspace, {"rdb_last_load_keys_expired": "4"}) == Loaded(6, 2, 4)
    assert redis_scratch.counts({}, {}) == Loaded(0, 0, 0)


class Keys:
    """A server that says how many keys it has, or does not answer."""

    def __init__(self, keyspace: dict[str, str] | None) -> None:
        self.keyspace = keyspace

    def info(self, section: str) -> dict[str, str]:
        assert section == "keyspace"
        if self.keyspace is None:
            raise RedisError("It loads its files.", "Wait.")
        return self.keyspace


@pytest.mark.parametrize(
    ("running", "keyspace", "said"),
    [
        pytest.param(True, {}, "", id="no key"),
        pytest.param(True, {"db0": "keys=5,expires=2", "db3": "keys=1,expires=0"}, "redis holds 6 keys", id="keys"),
        pytest.param(True, None, "holds is not known (It loads its files.)", id="no answer"),
        pytest.param(False, {}, "does not run, so that what it holds is not known", id="stopped"),
    ],
)
def test_keys_are_data_and_a_server_that_does_not_answer_is_taken_to_have_some(
    monkeypatch: pytest.MonkeyPatch, running: bool, keyspace: dict[str, str] | None, said: str
) -> None:
    container = {"State": {"Running": running}, "NetworkSettings": {"Networks": {"n": {"IPAddress": "10.0.0.2"}}}}
    monkeypatch.setattr(redis_restore, "_target", lambda _job: (container, Place()))
    monkeypatch.setattr(redis_restore, "connected", lambda *_a, **_k: contextlib.nullcontext(Keys(keyspace)))
    job = Job(SOURCE, manifest(5, ["db0"]), RecordedRunner(), "s", "", time.monotonic() + 60)
    assert redis_restore.replaced(job).endswith(said)
    assert bool(redis_restore.replaced(job)) is bool(said)


PERSISTENCE = {
    "aof_enabled": "1",
    "aof_rewrite_in_progress": "0",
    "aof_rewrite_scheduled": "0",
    "aof_last_bgrewrite_status": "ok",
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"aof_enabled": "0"}, False),
        ({"aof_rewrite_in_progress": "1"}, False),
        ({"aof_rewrite_scheduled": "1"}, False),
    ],
)
def test_append_only_files_are_waited_for(changes: dict[str, Any], expected: bool) -> None:
    assert redis_scratch._appending({**PERSISTENCE, **changes}) is expected


def test_append_only_files_that_cannot_be_written_are_an_error() -> None:
    with pytest.raises(ComposeOpsError, match="could not write its append-only files"):
        redis_scratch._appending({**PERSISTENCE, "aof_last_bgrewrite_status": "err"})
