"""The record survives being written, read, killed and outdated."""

from __future__ import annotations

from pathlib import Path

import pytest
from testbed.errors import BedError
from testbed.state import EngineRecord, HostRecord, NetworkRecord, State, StateDirectory, default_directory


@pytest.fixture
def directory(tmp_path: Path) -> StateDirectory:
    found = StateDirectory(tmp_path / "state")
    found.create()
    return found


def test_record_reads_back_as_written(directory: StateDirectory) -> None:
    state = State(
        id="0a1b2c3d",
        engine=EngineRecord(private=True, url="unix:///x", run_directory="/x", absent_before=["/etc/docker"]),
        network=NetworkRecord(name="n", bridge="b", subnet="10.213.7.0/24", mtu=1400),
        hosts={"petcare1": HostRecord(release="trixie", aliases=["app.petcare.com"], number=20)},
        published={"library/redis:7-alpine": "sha256:1"},
    )
    directory.save(state)
    assert directory.load() == state


def test_no_record_is_no_bed(directory: StateDirectory) -> None:
    assert directory.load() is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param('{"format": 99}', id="newer_format"),
        pytest.param('{"format": 1, "id": "x"}', id="fields_missing"),
        pytest.param(
            '{"format": 1, "id": "x", "engine": null, "network": null, "hosts": {}, "odd": 1}', id="unknown_field"
        ),
    ],
)
def test_unreadable_record_is_an_error_with_a_next_step(directory: StateDirectory, text: str) -> None:
    directory.record.write_text(text)
    with pytest.raises(BedError) as caught:
        directory.load()
    assert "down" in caught.value.next_step


def test_nobody_else_may_look_inside(directory: StateDirectory) -> None:
    path = directory.write("ssh/secret", "x")
    assert directory.path.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_equal_content_is_not_written_again(directory: StateDirectory) -> None:
    before = directory.write("a", "x").stat()
    after = directory.write("a", "x").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_wrong_mode_is_mended(directory: StateDirectory) -> None:
    path = directory.write("a", "x")
    path.chmod(0o644)
    assert directory.write("a", "x").stat().st_mode & 0o777 == 0o600
    assert list(directory.path.glob(".a*")) == []


def test_the_directory_hides_itself_from_git(directory: StateDirectory) -> None:
    assert (directory / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("spelling", ["state", "state/../state", "link"])
def test_every_spelling_of_the_directory_is_one_bed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "state")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COMPOSEOPS_TESTBED_DIR", spelling)
    assert default_directory() == (tmp_path / "state").resolve()
