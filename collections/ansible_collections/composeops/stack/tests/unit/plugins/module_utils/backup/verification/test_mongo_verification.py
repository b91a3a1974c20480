# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Level, Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import mongo, mongo_archive, scratch
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.verifier import Task, Unjudged
from ansible_collections.composeops.stack.plugins.module_utils.io import bson
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

END = struct.pack("<I", 0xFFFFFFFF)
MAGIC = struct.pack("<I", 0x8199E26D)


def named(collection: str, **more: Any) -> bytes:
    return bson.encode({"db": "app", "collection": collection, **more})


def block(collection: str, *documents: dict[str, Any], last: bool = False) -> bytes:
    content = b"".join(bson.encode(document) for document in documents)
    return named(collection, EOF=last, CRC=0) + content + END


HEADER = MAGIC + bson.encode({"concurrent_collections": 4, "version": "0.1"})
ARCHIVE = b"".join(
    [
        HEADER,
        *(named("pets"), named("owners"), named("none"), named("view", type="view"), END),
        *(block("pets", {"n": 1}, {"n": 2}), block("owners", {"n": 1}), block("pets", {"n": 3})),
        *(block("pets", last=True), block("none", last=True), block("owners", last=True)),
    ]
)
"""An archive as mongodump writes it: the blocks of two collections take turns."""


def read(content: bytes) -> dict[str, int]:
    return mongo_archive.documents(io.BytesIO(content))


def test_the_documents_of_every_collection_are_counted() -> None:
    assert read(ARCHIVE) == {"app.pets": 3, "app.owners": 1, "app.none": 0, "app.view": 0}


def test_an_archive_that_is_cut_off_has_no_end_or_fewer_documents() -> None:
    """Cut between two blocks it may look whole; what the manifest says of its documents tells then."""
    whole = len(ARCHIVE) - len(block("owners", last=True))
    for length in range(len(MAGIC), whole + 1):
        try:
            counted = read(ARCHIVE[:length])
        except (mongo_archive.Cut, bson.BsonError):
            continue
        assert counted != read(ARCHIVE), length
    with pytest.raises(mongo_archive.Cut, match=r"app\.owners has no end"):
        read(ARCHIVE[:whole])


@pytest.mark.parametrize("content", [b"", b"{}", struct.pack("<I", 0x8199E26E) + ARCHIVE[4:]])
def test_another_layout_is_not_judged(content: bytes) -> None:
    with pytest.raises(mongo_archive.NoArchive):
        read(content)


@pytest.mark.parametrize(
    "content",
    [
        ARCHIVE + block("pets", {"n": 4}),
        ARCHIVE + END,
        ARCHIVE + bson.encode({"n": 1}) + END,
        HEADER + END + named("pets", EOF=False) + struct.pack("<I", 4) + END,
        HEADER + END + named("pets", EOF=False) + struct.pack("<I", 2**31),
        HEADER + END + block("pets", {"n": 1}, last=True),
    ],
    ids=[
        *("more after the end", "a mark without a block", "a block of nothing", "a document too small"),
        *("a document too large", "documents in an end"),
    ],
)
def test_what_no_archive_holds_is_damage(content: bytes) -> None:
    with pytest.raises(mongo_archive.Cut):
        read(content)


def task(path: Path, **documents: int) -> Task:
    manifest = Manifest(
        *("id", "mongodb", "h", "mongo", "", ""),
        (StoredObject(path.name, 1, ""),),
        origin={"database": "app"},
        invariants={"documents": documents},
    )
    return Task(Source("mongodb", "mongo", "s", "mongo", "app"), manifest, RecordedRunner(), str(path.parent), 0.0)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed by mongodump, as of old"])
def test_each_collection_has_what_mongodump_wrote(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "mongodump.archive"
    path.write_bytes(gzip.compress(ARCHIVE) if packed else ARCHIVE)
    (said,) = mongo.read(task(path, pets=3, owners=1, none=0), {path.name: str(path)})
    assert said.startswith("All 4 documents")


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        (ARCHIVE, {"pets": 3, "owners": 2, "none": 0}),
        (ARCHIVE, {"pets": 3, "none": 0}),
        (ARCHIVE, {"pets": 3, "owners": 1, "none": 0, "gone": 1}),
        (ARCHIVE[:-60], {"pets": 3, "owners": 1, "none": 0}),
        (gzip.compress(ARCHIVE)[:-9], {"pets": 3, "owners": 1, "none": 0}),
    ],
    ids=["one lost", "a stranger", "a collection lost", "cut off", "cut off and packed"],
)
def test_another_content_is_damage(tmp_path: Path, content: bytes, documents: dict[str, int]) -> None:
    path = tmp_path / "mongodump.archive"
    path.write_bytes(content)
    with pytest.raises(Damaged):
        mongo.read(task(path, **documents), {path.name: str(path)})


def test_a_layout_that_is_not_known_says_nothing_of_the_backup(tmp_path: Path) -> None:
    path = tmp_path / "mongodump.archive"
    path.write_bytes(b"something else")
    with pytest.raises(Unjudged, match="cannot be judged by reading it"):
        mongo.read(task(path), {path.name: str(path)})


def of(**origin: Any) -> Manifest:
    described = {"database": "app", "views": [], "oplog": False, **origin}
    return Manifest("id", "mongodb", "h", "mongo", "", "", (), origin=described)


@pytest.mark.parametrize(
    ("origin", "options"),
    [
        ({}, ["--stopOnError", "--nsInclude=app.*"]),
        ({"views": ["v"]}, ["--stopOnError", "--nsInclude=app.*", "--nsExclude=app.v"]),
        (
            {"oplog": True},
            ["--drop", "--stopOnError", "--oplogReplay", "--nsExclude=admin.*", "--nsExclude=config.*"],
        ),
    ],
    ids=["a database", "with a view", "a replica set"],
)
def test_everything_is_restored_under_the_name_it_had(origin: dict[str, Any], options: list[str]) -> None:
    assert mongo.restore_options(of(**origin)) == options


def test_mongo_is_restored_into_a_server_that_is_alone() -> None:
    words = scratch.options("mongodb", mongo.SERVER)
    assert words[words.index("--network") + 1] == "none"
    assert "--mount" not in words
    assert mongo.VERIFIER.highest == Level.RESTORED
