"""What is told of the backups of a real host."""

from __future__ import annotations

import pytest

from tests.integration.backup_host import DATABASE, REDIS, BackupHost, bench_fixture

pytestmark = pytest.mark.bed

__all__ = ["bench_fixture"]

MODULE = "composeops.stack.backup_info"


def test_before_the_first_backup_there_is_none(bench: BackupHost) -> None:
    found = bench.host.module(MODULE, {})
    assert not found["changed"]
    assert [source["name"] for source in found["sources"]] == [DATABASE, REDIS]
    assert [(source["newest"], source["count"], source["last_run"]) for source in found["sources"]] == [
        (None, 0, None)
    ] * 2


def test_what_is_committed_is_listed_newest_first_and_check_mode_tells_the_same(bench: BackupHost) -> None:
    first, second = bench.backup(DATABASE), bench.backup(DATABASE)
    (found,) = bench.host.module(MODULE, {"sources": [DATABASE]})["sources"]
    assert [backup["id"] for backup in found["backups"]] == [second, first]
    assert found["newest"] == found["backups"][0]
    assert 0 <= found["newest"]["age_seconds"] < 600
    assert found["bytes"] == sum(backup["bytes"] for backup in found["backups"]) > 0
    assert found["last_run"]["outcome"] == "committed"
    limited = bench.host.module(MODULE, {"sources": [DATABASE], "limit": 1}, check=True)
    assert [backup["id"] for backup in limited["sources"][0]["backups"]] == [second]
    assert limited["summary"][0]["rows"][0][:2] == [DATABASE, second]


def test_objects_without_a_manifest_are_no_backup(bench: BackupHost) -> None:
    newest = bench.backup(DATABASE)
    stray = "20200101T000000Z-00000000"
    bench.s3.put_object(Bucket=bench.bucket, Key=f"{DATABASE}/{bench.name}/{stray}/database.pgdump", Body=b"x")
    (found,) = bench.host.module(MODULE, {"sources": [DATABASE]})["sources"]
    assert found["incomplete"] == [stray]
    assert stray not in [backup["id"] for backup in found["backups"]]
    assert found["newest"]["id"] == newest


def test_a_backup_of_the_future_is_never_the_newest(bench: BackupHost) -> None:
    newest = bench.backup(DATABASE)
    future = "20990101T000000Z-00000000"
    bench.s3.put_object(Bucket=bench.bucket, Key=f"{DATABASE}/{bench.name}/{future}/manifest.json", Body=b"{}")
    (found,) = bench.host.module(MODULE, {"sources": [DATABASE]})["sources"]
    assert found["from_the_future"] == [future]
    assert found["newest"]["id"] == newest
    bench.s3.delete_object(Bucket=bench.bucket, Key=f"{DATABASE}/{bench.name}/{future}/manifest.json")


def test_another_host_has_backups_of_its_own(bench: BackupHost) -> None:
    bench.backup(DATABASE)
    (found,) = bench.host.module(MODULE, {"sources": [DATABASE], "host": "elsewhere"})["sources"]
    assert found["count"] == 0


def test_an_unknown_source_is_named(bench: BackupHost) -> None:
    refused = bench.host.module(MODULE, {"sources": ["nothing"]})
    assert refused["failed"]
    assert "nothing is not a backup source of this host; there are:" in refused["msg"]
