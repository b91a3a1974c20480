# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, layout, records, run, settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Settings, Source
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.files import LockHeld
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import MissingLibrary
from ansible_collections.composeops.stack.plugins.modules.backup import Backups
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket

STORE = {"bucket": "backups", "access_key": "i", "secret_key": "s"}
SOURCES = [{"name": name, "type": "redis", "stack": "petcare", "service": "redis"} for name in ("new", "old")]
CONFIGURED = settings.parse(json.dumps({"host": "h", "store": STORE, "sources": SOURCES}))


class Bench:
    """A host whose source `old` has a backup of two hours, in a bucket in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bucket = MemoryBucket()
        self.failing: set[str] = set()
        self.busy: list[str] = []
        """Sources of which another run takes a backup, which is there when it was waited for."""
        self.newest = layout.backup_id(catalogue.now() - timedelta(hours=2), "00000000")
        self.bucket.contents[f"old/h/{self.newest}/manifest.json"] = b"{}"
        self.patch = monkeypatch
        monkeypatch.setattr(settings, "read", lambda: CONFIGURED)
        monkeypatch.setattr(settings, "require", lambda: CONFIGURED)
        monkeypatch.setattr(catalogue, "open_bucket", lambda store: self.bucket)
        monkeypatch.setattr(run, "take", self.take)

    def take(self, configured: Settings, source: Source, _runner: Runner) -> run.Taken:
        if source.name in self.failing:
            raise ComposeOpsError("Redis is down.")
        if source.name in self.busy:
            self.busy.remove(source.name)
            self._put(source.name, "22222222")
            raise LockHeld("lock", "backup of it")
        identifier = self._put(source.name, "11111111")
        objects = (StoredObject("dump.rdb", 2048, ""),)
        return run.Taken(Manifest(identifier, source.name, "h", "redis", "", "", objects), 1.25)

    def _put(self, source: str, token: str) -> str:
        identifier = layout.backup_id(catalogue.now(), token)
        self.bucket.contents[f"{source}/h/{identifier}/manifest.json"] = b"{}"
        return identifier

    def module(self, *sources: str, **params: Any) -> Backups:
        return Backups({"sources": list(sources), "initial": False, "only_if_older_than": "", **params})


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


@pytest.mark.parametrize(
    ("params", "due"),
    [
        ({}, {"new", "old"}),
        ({"initial": True}, {"new"}),
        ({"only_if_older_than": "3h"}, {"new"}),
        ({"only_if_older_than": "1h"}, {"new", "old"}),
    ],
    ids=["always", "initial", "young enough", "too old"],
)
def test_check_mode_predicts_what_is_then_done(bench: Bench, params: dict[str, Any], due: set[str]) -> None:
    before = dict(bench.bucket.contents)
    predicted = bench.module(**params).predict()
    assert bench.bucket.contents == before
    done, problems = bench.module(**params).apply()
    assert problems == []
    assert predicted["plan"] == done["plan"]
    assert predicted["changed"] is done["changed"] is True
    assert {backup["source"] for backup in done["backups"]} == due
    assert predicted["diff"][0]["before"] == done["diff"][0]["before"] == f"new: none\nold: {bench.newest}\n"
    assert ("new: a new backup" in predicted["diff"][0]["after"]) is ("new" in due)


def test_a_second_initial_run_changes_nothing(bench: Bench) -> None:
    bench.module(initial=True).apply()
    again, _problems = bench.module(initial=True).apply()
    assert (again["changed"], again["plan"]) == (False, [])
    assert not bench.module(initial=True).predict()["changed"]


def test_a_source_that_fails_is_told_and_the_others_are_taken(bench: Bench) -> None:
    bench.failing = {"new"}
    done, problems = bench.module().apply()
    assert problems == ["Backup of new failed: Redis is down."]
    assert done["changed"]
    assert [backup["source"] for backup in done["backups"]] == ["old"]


@pytest.mark.parametrize(
    ("params", "taken"),
    [({}, ["new"]), ({"initial": True}, []), ({"only_if_older_than": "1h"}, [])],
    ids=["asked for", "initial", "too old"],
)
def test_a_run_that_is_under_way_is_waited_for_and_may_be_enough(
    bench: Bench, tmp_path: Path, params: dict[str, Any], taken: list[str]
) -> None:
    bench.patch.setattr(records, "lock_path", lambda source: str(tmp_path / source))
    bench.busy = ["new"]
    done, problems = bench.module("new", **params).apply()
    assert problems == []
    assert [backup["source"] for backup in done["backups"]] == taken
    assert done["changed"] is bool(taken)
    assert "Waited for another run of new." in done["plan"]
    assert "-22222222" in json.dumps(done["summary"]) or taken


def test_a_host_without_settings_is_predicted_by_the_names_that_were_given(bench: Bench) -> None:
    bench.patch.setattr(settings, "read", lambda: None)
    assert bench.module("one", "two").predict()["plan"] == [
        "Back up one: it is not set up on this host yet.",
        "Back up two: it is not set up on this host yet.",
    ]
    assert bench.module().predict()["changed"]


def test_a_source_that_is_still_to_be_set_up_is_predicted_beside_those_that_are(bench: Bench) -> None:
    predicted = bench.module("old", "coming", initial=True).predict()
    assert predicted["changed"]
    assert predicted["plan"] == ["Back up coming: it is not set up on this host yet."]


def test_only_sources_that_are_still_to_be_set_up(bench: Bench) -> None:
    assert bench.module("coming", initial=True).predict()["plan"] == [
        "Back up coming: it is not set up on this host yet."
    ]


def test_a_host_without_boto3_yet_is_predicted(bench: Bench) -> None:
    def missing(_store: object) -> MemoryBucket:
        raise MissingLibrary("no boto3")

    bench.patch.setattr(catalogue, "open_bucket", missing)
    predicted = bench.module("old").predict()
    assert predicted["changed"]
    assert predicted["plan"] == ["Back up old: the store cannot be asked before boto3 is there."]
    with pytest.raises(MissingLibrary):
        bench.module("old").apply()


def test_an_unknown_source_is_refused_when_it_would_be_taken(bench: Bench) -> None:
    with pytest.raises(InvalidInput, match="odl is not a backup source"):
        bench.module("odl").apply()


def test_two_conditions_are_refused(bench: Bench) -> None:
    with pytest.raises(InvalidInput, match="say two things"):
        bench.module(initial=True, only_if_older_than="1h")
