# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import mongo_names
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

STAMP = "20260131T023000Z"
NEW, ASIDE = f"composeops.new_{STAMP}.", f"composeops.before_{STAMP}."


def test_a_swap_moves_each_collection_aside_and_the_restored_one_in_place_at_once() -> None:
    assert mongo_names.swap(["orders", "sessions"], ["orders", "people"], STAMP) == [
        ("orders", f"{ASIDE}orders"),
        (f"{NEW}orders", "orders"),
        (f"{NEW}people", "people"),
        ("sessions", f"{ASIDE}sessions"),
    ]


def test_a_swap_into_an_empty_database_moves_nothing_aside() -> None:
    assert mongo_names.swap([], ["a.b"], STAMP) == [(f"{NEW}a.b", "a.b")]


@pytest.mark.parametrize("done", range(1, 4))
def test_a_swap_that_was_killed_is_finished(done: int) -> None:
    renames = mongo_names.swap(["orders", "people"], ["orders", "people"], STAMP)
    names = {"orders", "people", f"{NEW}orders", f"{NEW}people"}
    for old, new in renames[:done]:
        names = names - {old} | {new}
    finishing, dropped = mongo_names.interrupted(names)
    assert finishing == renames[done:]
    assert dropped == []


def test_what_was_restored_and_never_swapped_is_dropped() -> None:
    assert mongo_names.interrupted({"orders", f"{NEW}orders", "composeops.before_20250101T000000Z.orders"}) == (
        [],
        [f"{NEW}orders"],
    )


def test_nothing_is_interrupted_where_only_old_collections_are_kept() -> None:
    assert mongo_names.interrupted({"orders", f"{ASIDE}orders"}) == ([], [])


def test_what_mongodump_says_is_read() -> None:
    said = (
        "2026-01-31T02:30:00.000+0000\twriting shop.orders to archive on stdout\n"
        "2026-01-31T02:30:00.100+0000\tdone dumping shop.orders (2502 documents)\n"
        "2026-01-31T02:30:00.200+0000\tdone dumping shop.my people (1 document)\n"
    )
    assert mongo_names.dumped(said) == {"shop.orders": 2502, "shop.my people": 1}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param({"name": "orders", "type": "collection"}, True, id="collection"),
        pytest.param({"name": "orders"}, True, id="of a server that says no type"),
        pytest.param({"name": "recent", "type": "view"}, False, id="view"),
        pytest.param({"name": "system.views", "type": "collection"}, False, id="the server's own"),
        pytest.param({"name": f"{NEW}orders", "type": "collection"}, False, id="ours"),
    ],
)
def test_what_a_restore_replaces(entry: dict[str, str], expected: bool) -> None:
    assert mongo_names.is_data(entry) is expected


MANIFEST = Manifest("id", "documents", "h", "mongo", "", "", (), {}, {"documents": {"orders": 3, "people": 0}})


def test_documents_as_in_the_backup_are_good() -> None:
    mongo_names.check_documents(MANIFEST, {"orders": 3, "people": 0})


@pytest.mark.parametrize(
    ("counted", "message"),
    [
        ({"orders": 2, "people": 0}, "orders has 2 instead of 3"),
        ({"orders": 3}, "people has no collection instead of 0"),
        ({"orders": 3, "people": 0, "more": 1}, "more has 1 instead of no collection"),
    ],
)
def test_documents_that_differ_are_refused(counted: dict[str, int], message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        mongo_names.check_documents(MANIFEST, counted)
