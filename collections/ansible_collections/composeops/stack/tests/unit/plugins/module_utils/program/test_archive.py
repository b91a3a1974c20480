# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import yaml
from ansible_collections.composeops.stack.plugins.module_utils import version
from ansible_collections.composeops.stack.plugins.module_utils.program import archive

MODULE_UTILS = os.path.dirname(version.__file__)
GALAXY = Path(MODULE_UTILS).parents[1] / "galaxy.yml"


def test_the_same_sources_give_the_same_bytes_in_whatever_order_they_are_found() -> None:
    sources = archive.collect(MODULE_UTILS)
    assert archive.build(sources) == archive.build(dict(reversed(sources.items())))


def test_another_source_gives_other_bytes() -> None:
    sources = archive.collect(MODULE_UTILS)
    assert archive.build(sources) != archive.build({**sources, "errors.py": sources["errors.py"] + b"#\n"})


def test_times_and_owners_of_the_controller_stay_there() -> None:
    with zipfile.ZipFile(io.BytesIO(archive.build(archive.collect(MODULE_UTILS)))) as members:
        entries = members.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o644}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


def test_only_sources_are_collected(tmp_path: Path) -> None:
    (tmp_path / "a/__pycache__").mkdir(parents=True)
    (tmp_path / "a/b.py").write_text("x = 1\n")
    (tmp_path / "a/b.txt").touch()
    (tmp_path / "a/__pycache__/b.cpython-311.pyc").touch()
    assert archive.collect(str(tmp_path)) == {"a/b.py": b"x = 1\n"}


def test_the_archive_runs_by_itself(tmp_path: Path) -> None:
    """Away from the repository, isolated, with nothing but the archive to import from."""
    program = tmp_path / "composeops.pyz"
    program.write_bytes(archive.build(archive.collect(MODULE_UTILS)))
    # -S keeps site-packages, where the collection may be found as well, out of the way.
    argv = [sys.executable, "-I", "-S", str(program), "--version"]
    completed = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.startswith(f"composeops {version.VERSION} (Python ")


def test_the_version_is_that_of_the_collection() -> None:
    assert yaml.safe_load(GALAXY.read_text())["version"] == version.VERSION
