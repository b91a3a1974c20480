# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention import shown
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.policy import Policies, Policy
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.prune import (
    Decided,
    Done,
    Wanted,
    carry_out,
    decide,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.survey import survey
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
WANTED = Wanted(Policies(Policy(daily=2)))


class Shelf(MemoryBucket):
    """A bucket that backups are put into by their age."""

    def put(self, days: float, *names: str, source: str = "app", host: str = "h", committed: bool = True) -> str:
        identifier = layout.backup_id(NOW - timedelta(days=days), "00000000")
        for name in ("dump.zst.age", *(["manifest.json"] if committed else []), *names):
            self.contents[layout.key(source, host, identifier, name)] = b"1234"
        return identifier

    def ids(self, source: str = "app", host: str = "h") -> list[str]:
        beginning = layout.prefix(source, host)
        return sorted({key[len(beginning) :].split("/")[0] for key in self.contents if key.startswith(beginning)})


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def prune(shelf: Shelf, wanted: Wanted = WANTED) -> tuple[Decided, Done]:
    decided, done = decide(shelf, wanted, NOW), Done()
    carry_out(shelf, decided, done)
    return decided, done


def test_what_is_in_no_slot_goes_whole_and_its_manifest_first(shelf: Shelf) -> None:
    verified = layout.verification_name(NOW - 3 * DAY, layout.Level.INTACT, True, "00000000")
    old = shelf.put(4, verified)
    kept = [shelf.put(3), shelf.put(2)]
    decided, done = prune(shelf)
    assert shelf.ids() == kept
    assert shelf.calls[0] == f"delete app/h/{old}/manifest.json"
    assert len(shelf.calls) == 3
    assert shown.sentences(decided) == [f"Remove {old} of app of h: in no slot."]
    assert [verdict.entry.id for verdict in done.removed] == [old]


def test_deciding_changes_nothing_and_a_second_run_finds_nothing(shelf: Shelf) -> None:
    for age in (5, 4, 3, 2):
        shelf.put(age)
    before = dict(shelf.contents)
    assert decide(shelf, WANTED, NOW).changes
    assert shelf.contents == before
    prune(shelf)
    decided, done = prune(shelf)
    assert (decided.changes, done.changed) == (False, False)


def test_a_run_that_is_killed_after_a_manifest_leaves_what_a_later_one_removes(shelf: Shelf) -> None:
    old = shelf.put(4)
    shelf.put(3), shelf.put(2)
    decided = decide(shelf, WANTED, NOW)
    shelf.fail_on = f"delete app/h/{old}/dump"
    done = Done()
    with pytest.raises(ComposeOpsError, match="the store is gone"):
        carry_out(shelf, decided, done)
    assert done.removed == []
    (entry,) = [entry for entry in survey(shelf, NOW).entries if entry.id == old]
    assert not entry.committed
    shelf.fail_on = ""
    decided, _done = prune(shelf)
    assert old not in shelf.ids()
    assert shown.sentences(decided) == [f"Remove {old} of app of h: never completed, 4 d old."]


def test_more_than_half_is_refused_before_anything_is_removed(shelf: Shelf) -> None:
    for age in range(2, 8):
        shelf.put(age)
        shelf.put(age, source="other")
    before = dict(shelf.contents)
    with pytest.raises(ComposeOpsError, match="4 of 6 backups of app of h, and 4 of 6 backups of other of h"):
        decide(shelf, WANTED, NOW)
    assert shelf.contents == before
    prune(shelf, Wanted(WANTED.policies, force_above=100))
    assert len(shelf.ids()) == len(shelf.ids("other")) == 2


def test_pruning_app_never_touches_app2_nor_another_host(shelf: Shelf) -> None:
    for age in (5, 4, 3, 2):
        shelf.put(age)
        shelf.put(age, source="app2")
        shelf.put(age, host="h2")
    prune(shelf, Wanted(WANTED.policies, sources=("app",), hosts=("h",)))
    assert (len(shelf.ids()), len(shelf.ids("app2")), len(shelf.ids(host="h2"))) == (2, 4, 4)
    assert {call.split()[1].rsplit("/", 2)[0] for call in shelf.calls} == {"app/h"}


def test_everything_in_the_bucket_is_found_and_what_is_not_ours_is_left(shelf: Shelf) -> None:
    for age in (5, 4, 3, 2):
        shelf.put(age, host="h2")
        shelf.put(age, source="app2")
    foreign = [
        "logs/2020/10/01.gz",
        "readme.txt",
        "app/h/20200101T000000Z-00000000",
        "..a/h/20200101T000000Z-00000000/d",
    ]
    shelf.contents.update(dict.fromkeys(foreign, b"x"))
    prune(shelf)
    assert (len(shelf.ids(host="h2")), len(shelf.ids("app2"))) == (2, 2)
    assert set(foreign) <= set(shelf.contents)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Wanted(WANTED.policies, sources=("ap",)), "no backups of a source called ap; there are: app, app2"),
        (Wanted(WANTED.policies, hosts=("g",)), "no backups of a host called g; there are: h."),
    ],
    ids=["source", "host"],
)
def test_a_misspelt_name_is_refused(shelf: Shelf, wanted: Wanted, message: str) -> None:
    shelf.put(1)
    shelf.put(1, source="app2")
    with pytest.raises(InvalidInput, match=message):
        decide(shelf, wanted, NOW)


def test_an_upload_under_way_keeps_its_backup_and_an_abandoned_one_is_aborted(shelf: Shelf) -> None:
    sending, abandoned = shelf.put(1.5, committed=False), shelf.put(3, committed=False)
    shelf.put(5)
    keys = [layout.key("app", "h", sending, "b"), layout.key("app", "h", abandoned, "b"), "app2/h/x/b", "b"]
    for key in keys:
        shelf.begin(key)
        shelf.initiated[key] = NOW - timedelta(hours=2) if key == keys[0] else NOW - 3 * DAY
    decided, done = prune(shelf)
    assert sending in shelf.ids() and abandoned not in shelf.ids()
    assert [upload.key for upload in done.aborted] == [keys[1]]
    assert set(shelf.pending) == {keys[0], *keys[2:]}, "what is not ours is left"
    assert f"Abort the upload of {keys[1]}, which a killed run left." in shown.sentences(decided)


def test_an_abandoned_upload_of_a_source_without_any_object_is_found(shelf: Shelf) -> None:
    key = layout.key("new", "h", layout.backup_id(NOW - 3 * DAY, "00000000"), "b")
    shelf.begin(key)
    shelf.initiated[key] = NOW - 3 * DAY
    _decided, done = prune(shelf)
    assert [upload.key for upload in done.aborted] == [key]


def test_what_is_pinned_or_completed_between_decision_and_removal_is_left(shelf: Shelf) -> None:
    pinned, completed = shelf.put(6), shelf.put(5, committed=False)
    shelf.put(3), shelf.put(2)
    decided, done = decide(shelf, WANTED, NOW), Done()
    shelf.contents[layout.key("app", "h", pinned, "pin.json")] = b"{}"
    shelf.contents[layout.key("app", "h", completed, "manifest.json")] = b"{}"
    carry_out(shelf, decided, done)
    assert {pinned, completed} <= set(shelf.ids())
    assert not done.changed
    assert done.notes == [
        f"Left {pinned} of app alone: it was pinned meanwhile.",
        f"Left {completed} of app alone: it was completed meanwhile.",
    ]


def test_a_pin_that_is_taken_back_lets_the_policy_decide(shelf: Shelf) -> None:
    pinned = shelf.put(9, "pin.json")
    shelf.put(3), shelf.put(2)
    assert not prune(shelf)[1].changed
    wanted = Wanted(WANTED.policies, unpin=(pinned,))
    decided, done = prune(shelf, wanted)
    assert shown.sentences(decided) == [
        f"Take the pin from {pinned} of app of h.",
        f"Remove {pinned} of app of h: in no slot.",
    ]
    assert pinned not in shelf.ids() and [entry.id for entry in done.unpinned] == [pinned]
    assert decide(shelf, wanted, NOW).notes == (f"unpin: the bucket has no backup {pinned}.",)


def test_segments_before_the_window_go_oldest_first_and_histories_stay(shelf: Shelf) -> None:
    for age in (12, 9, 3):
        shelf.put(age)
    for hours in range(2600):
        key = f"app/h/wal/7/{hours:024X}.zst.age"
        shelf.contents[key] = b"12345678"
        shelf.dates[key] = NOW - timedelta(hours=2600 - hours)
    shelf.contents["app/h/wal/7/00000002.history.zst.age"] = b"x"
    decided, done = prune(shelf, Wanted(Policies(Policy(daily=9))))
    assert len(done.segments) == 2600 - 9 * 24 - 1
    assert [call.split("/")[-1] for call in shelf.calls[:2]] == [f"{number:024X}.zst.age" for number in (0, 1)]
    assert "app/h/wal/7/00000002.history.zst.age" in shelf.contents
    assert shown.sentences(decided)[0].startswith("Remove 2383 segments (18.6 KiB) of the log of writes of app of h")
    assert shown.overview(decided.plan)["rows"] == [["app", "h", "3", "0", "2383", "18.6 KiB"]]


def test_the_difference_has_every_backup_with_its_reason(shelf: Shelf) -> None:
    old, middle, newest = shelf.put(4), shelf.put(3), shelf.put(2)
    (difference,) = shown.difference(decide(shelf, WANTED, NOW))
    assert difference["before"].splitlines() == [
        f"{old} 8 B remove: in no slot",
        f"{middle} 8 B keep: daily 2 of 2",
        f"{newest} 8 B keep: newest; newest that was not found damaged; daily 1 of 2",
    ]
    assert difference["after"] == "".join(difference["before"].splitlines(keepends=True)[1:])
    rows = shown.listing(decide(shelf, WANTED, NOW).plan, NOW)[0]["rows"]
    assert rows[0] == [old, "4 d", "8 B", "L0", "remove", "in no slot"]
