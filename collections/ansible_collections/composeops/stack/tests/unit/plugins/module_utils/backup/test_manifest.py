# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import json

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup import manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest, StoredObject
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError

MANIFEST = Manifest(
    id="20260131T023000Z-1f2e3d4c",
    source="database",
    host="petcare1",
    type="postgres",
    started="2026-01-31T02:30:00Z",
    finished="2026-01-31T02:30:09Z",
    objects=(StoredObject("database.pgdump", 10, "ab", ("zstd", "age"), 40), StoredObject("globals.sql", 5, "cd")),
    origin={"owner": "petuser"},
    invariants={"rows": {"public.pets": 3}},
    recipients=("age1one", "age1two"),
)


def test_what_is_written_is_read_again() -> None:
    assert manifest.parse(manifest.serialise(MANIFEST), "key") == MANIFEST


def test_the_schema_is_the_documented_one() -> None:
    written = json.loads(manifest.serialise(MANIFEST))
    assert written == {
        "schema": 2,
        "id": "20260131T023000Z-1f2e3d4c",
        "source": "database",
        "host": "petcare1",
        "type": "postgres",
        "started": "2026-01-31T02:30:00Z",
        "finished": "2026-01-31T02:30:09Z",
        "objects": [
            {"name": "database.pgdump", "bytes": 10, "sha256": "ab", "encoding": ["zstd", "age"], "plain_bytes": 40},
            {"name": "globals.sql", "bytes": 5, "sha256": "cd", "encoding": [], "plain_bytes": None},
        ],
        "origin": {"owner": "petuser"},
        "invariants": {"rows": {"public.pets": 3}},
        "recipients": ["age1one", "age1two"],
    }


def test_a_manifest_of_the_first_schema_is_still_read() -> None:
    first = json.loads(manifest.serialise(MANIFEST))
    del first["recipients"]
    first |= {"schema": 1, "objects": [{"name": "globals.sql", "bytes": 5, "sha256": "cd", "encoding": []}]}
    read = manifest.parse(json.dumps(first).encode(), "key")
    assert (read.objects, read.recipients) == ((StoredObject("globals.sql", 5, "cd"),), ())


def test_the_usual_tools_know_an_object_by_its_name() -> None:
    assert [stored.file for stored in MANIFEST.objects] == ["database.pgdump.zst.age", "globals.sql"]


def test_the_size_is_that_of_all_objects() -> None:
    assert MANIFEST.bytes == 15


def test_an_object_that_is_not_there_is_named() -> None:
    with pytest.raises(ComposeOpsError, match=r"has no object dump\.rdb"):
        MANIFEST.object("dump.rdb")


def altered(**changes: object) -> bytes:
    return json.dumps({**json.loads(manifest.serialise(MANIFEST)), **changes}).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(altered(schema=3), "schema 3; this version reads 1, 2", id="newer schema"),
        pytest.param(
            altered(objects=[{"name": "a", "bytes": 1, "sha256": "", "encoding": ["rot13"]}]),
            "'rot13' is no encoding this version reads",
            id="an encoding nobody knows",
        ),
        pytest.param(b"{", "is not a manifest", id="cut off"),
        pytest.param(b"[]", "is not a manifest", id="another kind of value"),
        pytest.param(b'{"schema": 1}', "KeyError: 'id'", id="field missing"),
        pytest.param(
            altered(objects=[{"name": "../../etc/passwd", "bytes": 1, "sha256": "", "encoding": []}]),
            "is no object's name",
            id="a name that leaves the directory it is fetched into",
        ),
    ],
)
def test_a_damaged_manifest_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ComposeOpsError, match=message):
        manifest.parse(content, "database/h/x/manifest.json")
