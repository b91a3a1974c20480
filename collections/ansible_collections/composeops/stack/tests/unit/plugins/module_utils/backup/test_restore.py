# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, layout, manifest, restore
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level, Settings, Source, Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.restore import NEWEST, By, Restore
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome, Restorer
from ansible_collections.composeops.stack.plugins.module_utils.backup.trust import Told
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.release import audit
from ansible_collections.composeops.stack.plugins.module_utils.release.holding import Holding
from ansible_collections.composeops.stack.plugins.module_utils.release.run import stack_run
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket
from ansible_collections.composeops.stack.tests.unit.support.places import deploy, places
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

SOURCE = Source("database", "postgres", "petcare", "postgres", "pet", "petuser")
SETTINGS = Settings("h", Store("backups", "id", "secret"), (SOURCE,))
ID = "20260131T023000Z-1f2e3d4c"
DUMP = b"the dump"


class Bench:
    """A bucket with one backup, and a kind of server that remembers what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.bucket = MemoryBucket()
        self.directory = directory
        self.places = places(directory.parent)
        self.given: dict[str, bytes] | None = None
        self.there = ""
        """What data a restore would replace."""
        self.modes: set[int] = set()
        self.manifest = Manifest(
            ID, "database", "h", "postgres", "s", "f", (StoredObject("dump", 8, hashlib.sha256(DUMP).hexdigest()),)
        )
        self.store(self.manifest)
        monkeypatch.setattr(catalogue, "open_bucket", lambda store: self.bucket)
        monkeypatch.setitem(restore.RESTORERS, "postgres", Restorer(self.examine, self.apply, lambda _: self.there))

    def store(self, stored: Manifest, dump: bytes = DUMP) -> None:
        beginning = f"database/{stored.host}/{ID}"
        self.bucket.contents[f"{beginning}/dump"] = dump
        self.bucket.contents[f"{beginning}/{layout.MANIFEST}"] = manifest.serialise(stored)

    def examine(self, job: Job) -> list[str]:
        return [f"Restore {job.manifest.id}."]

    def apply(self, job: Job, paths: Mapping[str, str]) -> Outcome:
        self.given = {name: Path(path).read_bytes() for name, path in paths.items()}
        self.modes = {os.stat(os.path.dirname(path)).st_mode & 0o777 for path in paths.values()}
        return Outcome("database pet_before_x", "DROP DATABASE pet_before_x;", ("counted",))

    def restore(self, wanted: str = NEWEST, host: str = "", *, unverified: bool = False) -> Restore:
        return Restore(
            SETTINGS,
            SOURCE,
            RecordedRunner(),
            wanted=wanted,
            host=host,
            directory=str(self.directory),
            by=By("ada", "console"),
            places=self.places,
            told=Told(unverified=unverified),
        )


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    return Bench(monkeypatch, tmp_path / "state")


def test_a_backup_is_given_to_its_server_whole_and_then_removed_from_the_disk(bench: Bench) -> None:
    restored = bench.restore().apply()
    assert bench.given == {"dump": DUMP}
    assert bench.modes == {0o700}
    assert restored.outcome.kept == "database pet_before_x"
    assert restored.notes == ("counted",)
    assert [path.name for path in bench.directory.iterdir()] == ["database.lock"]


def test_a_plan_fetches_and_changes_nothing(bench: Bench) -> None:
    plan = bench.restore(ID).plan()
    assert plan.manifest == bench.manifest
    assert plan.steps[0].startswith(f"Fetch backup {ID} of database made on h at s (8 B)")
    assert plan.steps[1:] == ("It was never drilled; nothing is there that it replaces.", f"Restore {ID}.")
    assert bench.given is None
    assert not bench.directory.exists()


@pytest.mark.parametrize(
    "dump",
    [
        pytest.param(b"the dumP", id="one bit flipped"),
        pytest.param(b"the dum", id="cut short"),
        pytest.param(b"the dump.", id="longer"),
    ],
)
def test_a_damaged_object_reaches_no_server(bench: Bench, dump: bytes) -> None:
    bench.store(bench.manifest, dump)
    with pytest.raises(ComposeOpsError, match=r"is damaged: . bytes with SHA-256"):
        bench.restore().apply()
    assert bench.given is None
    assert [path.name for path in bench.directory.iterdir()] == ["database.lock"]


def test_a_plan_sees_an_object_of_another_size(bench: Bench) -> None:
    bench.store(bench.manifest, b"short")
    with pytest.raises(ComposeOpsError, match="has 5 bytes in the store; its manifest says 8"):
        bench.restore().plan()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"type": "redis"}, "is of type redis; database is postgres", id="another kind of source"),
        pytest.param(
            {"objects": (StoredObject("dump", 8, "", ("age", "zstd")),)},
            r"is encoded \(age, zstd\) in an order which this version does not read",
            id="encoded by a newer version",
        ),
        pytest.param(
            {"objects": (StoredObject("dump", 8, "", ("zstd", "age")),), "recipients": ("age1a", "age1b")},
            r"is encrypted to age1a, age1b, and this host keeps",
            id="encrypted to others",
        ),
    ],
)
def test_a_backup_that_cannot_be_read_is_refused(bench: Bench, changed: dict[str, object], message: str) -> None:
    bench.store(replace(bench.manifest, **changed))
    with pytest.raises(ComposeOpsError, match=message):
        bench.restore().apply()
    assert bench.given is None


def test_the_backup_of_another_host_is_restored_when_it_is_named(bench: Bench) -> None:
    bench.store(replace(bench.manifest, host="elsewhere"))
    del bench.bucket.contents[f"database/h/{ID}/{layout.MANIFEST}"]
    with pytest.raises(ComposeOpsError, match="no committed backup of database"):
        bench.restore().apply()
    assert bench.restore(host="elsewhere").apply().plan.manifest.host == "elsewhere"


def test_nothing_is_deployed_meanwhile(bench: Bench) -> None:
    with (
        stack_run("petcare", "deploy", operator="bob", places=bench.places),
        pytest.raises(ComposeOpsError, match="Stack petcare is held by bob"),
    ):
        bench.restore().apply()
    assert bench.given is None


def test_a_stack_that_is_held_by_hand_is_not_restored(bench: Bench) -> None:
    deploy(bench.places, "petcare")
    Holding("petcare", "bob", via="console", places=bench.places).hold("incident 42", "1h", check=False)
    with pytest.raises(ComposeOpsError, match=r"held by bob since .* incident 42"):
        bench.restore().apply()
    assert bench.given is None


def test_a_restore_is_in_the_audit_log(bench: Bench) -> None:
    bench.restore().apply()
    (run,) = audit.runs(audit.read(bench.places.audit), ())
    assert (run.stack, run.operation, run.operator, run.via) == ("petcare", "restore", "ada", "console")
    assert (run.result, run.reason) == ("ok", f"database from backup {ID}")


def test_what_a_killed_restore_fetched_is_cleared_away(bench: Bench) -> None:
    leftover = bench.directory / "database.restoring"
    leftover.mkdir(parents=True)
    (leftover / "dump").write_bytes(b"half")
    bench.restore().apply()
    assert bench.given == {"dump": DUMP}
    assert not leftover.exists()


def test_a_backup_that_failed_its_last_verification_is_restored_only_when_that_is_said(bench: Bench) -> None:
    failed = layout.verification_name(catalogue.now(), Level.RESTORED, False, "0" * 8)
    bench.bucket.contents[f"database/h/{ID}/{failed}"] = b"{}"
    with pytest.raises(ComposeOpsError, match=f"Backup {ID} of database failed its last verification, to level 3"):
        bench.restore().apply()
    assert bench.given is None
    plan = bench.restore(unverified=True).plan()
    assert "Its last verification failed; it is restored because that was asked for." in plan.steps
    bench.restore(unverified=True).apply()
    assert bench.given == {"dump": DUMP}


def test_data_is_replaced_by_a_backup_that_is_verified_or_asked_for(bench: Bench) -> None:
    bench.there = "there are rows in app: public.pets"
    for attempt in (bench.restore().plan, bench.restore().apply):
        with pytest.raises(ComposeOpsError, match=f"Backup {ID} of database is not verified, and would replace data"):
            attempt()
    assert bench.given is None
    assert bench.restore(unverified=True).plan().verified is False
    passed = layout.verification_name(catalogue.now(), Level.RESTORED, True, "0" * 8)
    bench.bucket.contents[f"database/h/{ID}/{passed}"] = b"{}"
    assert bench.restore().apply().plan.verified is True
    assert bench.given == {"dump": DUMP}


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (Level.INTACT, "It was proven so far: intact; nothing is there that it replaces."),
        (Level.RESTORED, "It was proven so far: restored and compared."),
    ],
)
def test_a_plan_says_how_far_the_backup_was_proven(bench: Bench, level: Level, said: str) -> None:
    passed = layout.verification_name(catalogue.now(), level, True, "0" * 8)
    bench.bucket.contents[f"database/h/{ID}/{passed}"] = b"{}"
    assert said in bench.restore().plan().steps


def test_a_dump_has_no_log_to_restore_a_time_from(bench: Bench) -> None:
    with pytest.raises(ComposeOpsError, match="which has no log to restore a time from"):
        Restore(SETTINGS, SOURCE, RecordedRunner(), target_time="2026-01-31T12:00:00Z", directory=str(bench.directory))


def test_a_backup_of_one_database_has_none_to_choose(bench: Bench) -> None:
    with pytest.raises(ComposeOpsError, match="database is no source of every database of a server"):
        Restore(SETTINGS, SOURCE, RecordedRunner(), database="pet", directory=str(bench.directory))
