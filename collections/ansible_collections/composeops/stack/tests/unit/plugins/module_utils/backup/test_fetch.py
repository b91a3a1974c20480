# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import fetch, layout
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.encoding import programs
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.buckets import MemoryBucket

ID = "20260131T023000Z-1f2e3d4c"
(ENTRY,) = layout.entries("database", "h", [(f"database/h/{ID}/manifest.json", 1)])
DUMP = b"the dump as it is stored"


def stored(name: str, content: bytes, encoding: tuple[str, ...] = (), plain: int | None = None) -> StoredObject:
    return StoredObject(name, len(content), hashlib.sha256(content).hexdigest(), encoding, plain)


def manifest(*objects: StoredObject) -> Manifest:
    return Manifest(ID, "database", "h", "postgres", "", "", objects)


def bucket(**contents: bytes) -> MemoryBucket:
    return MemoryBucket({f"database/h/{ID}/{name.replace('_', '.')}": content for name, content in contents.items()})


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that are everywhere: what they write is what was stored."""
    monkeypatch.setattr(programs, "decoder", lambda step, path: ["cat", *([] if path is None else [path])])


def test_objects_are_files_by_their_plain_names_and_gone_afterwards(tmp_path: Path) -> None:
    store = bucket(dump_zst_age=DUMP, roles=b"roles")
    wanted = manifest(stored("dump", DUMP, ("zstd", "age"), len(DUMP)), stored("roles", b"roles"))
    place = tmp_path / "state" / "database.restoring"
    with fetch.fetched(store, ENTRY, wanted, str(place), "key") as paths:
        assert {name: Path(path).read_bytes() for name, path in paths.items()} == {"dump": DUMP, "roles": b"roles"}
        assert sorted(path.name for path in place.iterdir()) == ["dump", "roles"], "what is stored needs no room now"
        assert os.stat(place).st_mode & 0o777 == 0o700
    assert not place.exists()


def test_what_is_damaged_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "decode", lambda *_, **__: pytest.fail("it was decoded"))
    changed = bytes([DUMP[0] ^ 1]) + DUMP[1:]
    wanted = manifest(stored("dump", DUMP, ("zstd", "age"), 9))
    with (
        pytest.raises(Damaged, match="is damaged: 24 bytes with SHA-256"),
        fetch.fetched(bucket(dump_zst_age=changed), ENTRY, wanted, str(tmp_path / "x"), "key"),
    ):
        pass
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("one", "needed"),
    [
        pytest.param(stored("dump", DUMP), 48, id="as it is: room for a copy"),
        pytest.param(stored("dump", DUMP, ("zstd", "age"), 1000), 1024, id="encoded"),
        pytest.param(stored("dump", DUMP, ("zstd",)), 144, id="of unknown size"),
    ],
)
def test_the_room_for_both_forms_is_looked_for_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one: StoredObject, needed: int
) -> None:
    assert fetch.needed(manifest(one)) == needed
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=needed - 1))
    with (
        pytest.raises(ComposeOpsError, match="the restore needs"),
        fetch.fetched(MemoryBucket(), ENTRY, manifest(one), str(tmp_path / "x"), None),
    ):
        pass


def test_several_objects_need_the_sum(tmp_path: Path) -> None:
    one = stored("dump", DUMP, ("zstd",), 100)
    assert fetch.needed(manifest(one, replace(one, name="roles"))) == 2 * (24 + 100)
