"""playbooks/prune.yml against the bed's bucket, with backups that only their names and dates tell apart."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.integration.backup_host import BackupHost
from tests.integration.bed_host import ROOT, BedHost, PlaybookRun

pytestmark = pytest.mark.bed

RETENTION = {"daily": 4, "monthly": 1}


class Shelf:
    """A source of a host that there is not, in the bed's bucket."""

    def __init__(self, host: BedHost) -> None:
        self.host = host
        self.bench = BackupHost(host)
        self.source = f"prune{secrets.token_hex(4)}"
        self.pruning = self.bench.prune_store

    def put(self, days: float, *, source: str = "", committed: bool = True) -> str:
        moment = datetime.now(timezone.utc) - timedelta(days=days)
        identifier = f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        for name in ("dump.rdb.zst.age", *(["manifest.json"] if committed else [])):
            key = f"{source or self.source}/h/{identifier}/{name}"
            self.bench.s3.put_object(Bucket=self.bench.bucket, Key=key, Body=b"1234")
        return identifier

    def ids(self, source: str = "") -> list[str]:
        return sorted({key.split("/")[2] for key in self.keys(f"{source or self.source}/")})

    def keys(self, prefix: str) -> list[str]:
        listing = self.bench.s3.list_objects_v2(Bucket=self.bench.bucket, Prefix=prefix)
        return [item["Key"] for item in listing.get("Contents", [])]

    def prune(self, *, check: bool = False, **variables: Any) -> PlaybookRun:
        given = {"only_source": self.source, "backup_retention": RETENTION, "backup_prune_store": self.pruning}
        playbook = ROOT / "playbooks/prune.yml"
        return self.host.playbook(playbook, extra_variables={**given, **variables}, check=check, diff=check)


@pytest.fixture(name="shelf")
def shelf_fixture(host: BedHost) -> Iterator[Shelf]:
    shelf = Shelf(host)
    yield shelf
    for key in shelf.keys(shelf.source):
        shelf.bench.s3.delete_object(Bucket=shelf.bench.bucket, Key=key)


def result(run: PlaybookRun) -> dict[str, Any]:
    assert run.ok, run.output
    return dict(run.tasks[-1]["result"])


def test_a_plan_is_shown_carried_out_and_not_carried_out_again(shelf: Shelf) -> None:
    old, *kept = [shelf.put(age) for age in (7, 5, 4, 3, 2)]
    half = shelf.put(6, committed=False)
    neighbour = shelf.put(900, source=f"{shelf.source}2")
    check = shelf.prune(check=True)
    assert [one["id"] for one in result(check)["removed"]] == [old, half]
    for words in (f"-{old} 8 B remove: in no slot", "daily 4 of 4", "never completed, 6 d old", "Retention of"):
        assert words in check.output, check.output
    assert shelf.ids() == sorted([old, half, *kept])
    done = shelf.prune()
    assert result(done)["changed"]
    assert result(done)["removed"] == result(check)["removed"]
    assert shelf.ids() == sorted(kept)
    assert shelf.ids(f"{shelf.source}2") == [neighbour]
    assert not result(shelf.prune())["changed"]
    assert str(shelf.pruning["secret_key"]) not in check.output + done.output


def test_more_than_half_is_refused_and_a_pin_is_taken_back(shelf: Shelf) -> None:
    taken = [shelf.put(age) for age in range(2, 12)]
    pinned = taken[-1]
    pin = {"Bucket": shelf.bench.bucket, "Key": f"{shelf.source}/h/{pinned}/pin.json", "Body": b"{}"}
    shelf.bench.s3.put_object(**pin)
    refused = shelf.prune(backup_retention={"daily": 2})
    assert f"Nothing was removed: the policy would remove 7 of 10 backups of {shelf.source} of h" in refused.failures[0]
    removed = result(shelf.prune(backup_retention={"daily": 2}, force_above=100, unpin=pinned))["removed"]
    assert pinned in [one["id"] for one in removed]
    assert shelf.ids() == sorted(taken[:2])


def test_the_key_of_a_host_prunes_nothing(shelf: Shelf) -> None:
    old, *_kept = [shelf.put(age) for age in (7, 5, 4, 3, 2)]
    before = shelf.keys(shelf.source)
    shelf.pruning = shelf.bench.store
    (failure,) = shelf.prune().failures
    assert f"did not delete {shelf.source}/h/{old}/manifest.json" in failure
    assert "AccessDenied" in failure and "backup_prune_store has to delete" in failure
    assert shelf.keys(shelf.source) == before
