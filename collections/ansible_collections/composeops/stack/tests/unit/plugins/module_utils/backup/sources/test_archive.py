# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files are really backed up and really restored, in directories of the test."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged
from ansible_collections.composeops.stack.plugins.module_utils.backup.manifest import Manifest
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Source
from ansible_collections.composeops.stack.plugins.module_utils.backup.restorer import Job, Outcome
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources import archive, archive_restore
from ansible_collections.composeops.stack.plugins.module_utils.backup.sources.archive import Root
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

STAMP = "20260131T023000Z"


class Host:
    """A file, a directory and a volume, what backs them up, and what restores them."""

    def __init__(self, directory: Path) -> None:
        self.secrets = directory / "etc/secrets.json"
        self.config = directory / "config"
        self.volume = directory / "volumes/shop_uploads/_data"
        for parent in (self.secrets.parent, self.config / "deep", self.volume / "2026"):
            parent.mkdir(parents=True)
        self.secrets.write_text('{"A": "b"}')
        self.secrets.chmod(0o600)
        (self.config / "logging.toml").write_text("level = 'INFO'\n" * 100)
        (self.config / "deep/empty").touch(mode=0o640)
        (self.config / "link").symlink_to("logging.toml")
        (self.config / "deep").chmod(0o500)
        os.link(self.config / "logging.toml", self.config / "second")
        (self.volume / "2026/ünïcode name").write_bytes(os.urandom(300_000))
        self._archive = directory / "archive"
        self.source = Source(
            "config", "files", "shop", paths=(str(self.secrets), str(self.config)), volumes=("uploads",)
        )

    def docker(self, argv: Sequence[str]) -> tuple[int, str, str]:
        if "ls" in argv:
            assert "label=com.docker.compose.volume=uploads" in argv
            return 0, "shop_uploads\n", ""
        return 0, json.dumps([{"Mountpoint": str(self.volume)}]), ""

    @property
    def runner(self) -> RecordedRunner:
        return RecordedRunner(self.docker)

    def back_up(self) -> Manifest:
        with archive.produce(self.source, self.runner, time.monotonic() + 60) as production:
            (stream,) = production.streams
            self._archive.write_bytes(b"".join(stream.open()))
            origin, invariants = production.origin, production.invariants()
        return Manifest("id", "config", "h", "files", "", "", (), origin, invariants)

    def restore(self, manifest: Manifest, *, stamp: str = STAMP) -> Outcome:
        job = Job(self.source, manifest, self.runner, stamp, "", time.monotonic() + 60)
        assert len(archive_restore.examine(job)) == 2
        return archive_restore.apply(job, {archive.ARCHIVE: str(self._archive)})

    def replaced(self, manifest: Manifest) -> str:
        return archive_restore.replaced(Job(self.source, manifest, self.runner, STAMP, "", time.monotonic() + 60))

    def tally(self) -> str:
        return archive.tally(archive.roots(self.source, self.runner)).digest()

    @property
    def leftovers(self) -> list[str]:
        root = self.config.parent
        return sorted(str(path) for path in root.rglob(f"{archive.OURS}restoring*"))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_what_was_destroyed_comes_back_as_it_was(host: Host) -> None:
    before, manifest = host.tally(), host.back_up()
    host.secrets.unlink()
    (host.config / "logging.toml").write_text("wrong")
    (host.config / "more").write_text("made after the backup")
    (host.volume / "2026/ünïcode name").unlink()
    (host.volume / "other").write_text("made after the backup")
    outcome = host.restore(manifest)
    assert host.tally() == before
    assert host.secrets.stat().st_mode & 0o777 == 0o600
    assert (host.config / "link").readlink() == Path("logging.toml")
    assert outcome.notes[0] == "10 entries, as in the backup."
    assert (Path(f"{host.config}.before_{STAMP}") / "more").read_text() == "made after the backup"
    assert (host.volume / f".composeops-before_{STAMP}/other").read_text() == "made after the backup"
    assert outcome.kept == f"{host.config}.before_{STAMP}, {host.volume}/.composeops-before_{STAMP}"
    assert host.leftovers == []


def test_files_that_are_there_are_data_and_empty_directories_are_not(host: Host) -> None:
    manifest = host.back_up()
    assert host.replaced(manifest) == f"{host.secrets}, {host.config}, {host.volume} are there"
    host.secrets.unlink()
    shutil.rmtree(host.config)
    shutil.rmtree(host.volume / "2026")
    (host.volume / ".composeops-before_x").mkdir()
    assert host.replaced(manifest) == ""
    host.config.mkdir()
    assert host.replaced(manifest) == ""
    host.secrets.symlink_to("nowhere")
    assert host.replaced(manifest) == f"{host.secrets} is there"


def test_what_is_kept_aside_is_in_no_later_backup(host: Host) -> None:
    before = host.tally()
    host.restore(host.back_up())
    assert host.tally() == before


def test_a_volume_stays_the_directory_that_containers_have_mounted(host: Host) -> None:
    inode, manifest = host.volume.stat().st_ino, host.back_up()
    host.restore(manifest)
    assert host.volume.stat().st_ino == inode


def test_a_damaged_backup_changes_nothing(host: Host) -> None:
    manifest = host.back_up()
    (host.config / "logging.toml").write_text("serves")
    damaged = Manifest(
        "id", "config", "h", "files", "", "", (), manifest.origin, {**manifest.invariants, "sha256": "0"}
    )
    before = host.tally()
    with pytest.raises(ComposeOpsError, match="not what was backed up"):
        host.restore(damaged)
    assert host.tally() == before
    assert host.leftovers == []


def test_a_restore_that_fails_half_way_puts_everything_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = host.back_up()
    (host.config / "logging.toml").write_text("serves")
    before, rename = host.tally(), os.rename

    def failing(old: str, new: str) -> None:
        if new == str(host.volume / "2026"):
            monkeypatch.setattr(os, "rename", rename)
            raise OSError("no more")
        rename(old, new)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(OSError, match="no more"):
        host.restore(manifest)
    assert host.tally() == before
    assert host.leftovers == []
    assert not (host.volume / f".composeops-before_{STAMP}").exists()


@pytest.mark.parametrize("survives", range(6))
def test_a_restore_that_is_killed_is_finished_by_the_next_and_backed_up_by_nobody_before(
    host: Host, survives: int
) -> None:
    before, manifest = host.tally(), host.back_up()
    (host.config / "logging.toml").write_text("wrong")
    killed_after_renames(survives, lambda: host.restore(manifest))
    with pytest.raises(ComposeOpsError, match="A restore of config did not end, and left"):
        host.back_up()
    host.restore(manifest, stamp="20260131T033000Z")
    assert host.tally() == before
    assert host.leftovers == []
    assert host.back_up().invariants == manifest.invariants
    aside = host.config.parent.glob("config.before_*/logging.toml")
    assert "wrong" in [path.read_text() for path in aside]


def killed_after_renames(survives: int, act: Callable[[], object]) -> None:
    """Carry out ``act`` in a process that dies at its next rename after so many, with no chance to clean up."""
    process = os.fork()
    if process == 0:
        rename, left = os.rename, [survives]

        def dying(old: str, new: str) -> None:
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            rename(old, new)

        os.rename = dying
        try:
            act()
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 9, "it was not killed"


def test_what_is_not_there_fails_the_backup(host: Host) -> None:
    host.secrets.unlink()
    with pytest.raises(ComposeOpsError, match=r"secrets\.json is not there"):
        host.back_up()


def test_a_volume_that_the_stack_does_not_have_is_named(host: Host) -> None:
    with pytest.raises(ComposeOpsError, match="Stack shop has no volume uploads"):
        archive.roots(host.source, RecordedRunner())


def test_a_backup_of_other_paths_is_not_restored(host: Host) -> None:
    manifest = host.back_up()
    host.source = Source("config", "files", "shop", paths=(str(host.config),))
    with pytest.raises(ComposeOpsError, match="now declares"):
        host.restore(manifest)


def test_a_socket_is_left_out(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        found = [entry.name for entry in archive.walk([Root("paths/x", str(tmp_path))])]
    assert found == ["paths/x"]


def test_a_log_that_grows_is_as_long_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"x" * 1000)
    real = os.fstat

    def growing(descriptor: int) -> os.stat_result:
        status = real(descriptor)
        with log.open("ab") as stream:
            stream.write(b"more")
        return status

    monkeypatch.setattr(os, "fstat", growing)
    assert archive.tally([Root("paths/log", str(log))]).entries == 1


@pytest.mark.parametrize("name", ["paths/other", "paths/x/../../etc/passwd", "/etc/passwd", "paths/x/", "paths/xy"])
def test_no_member_leaves_the_declared_roots(name: str) -> None:
    with pytest.raises(Damaged, match="in no directory that the source declares"):
        archive_restore.destination(name, [Root("paths/x", "/x")], {"paths/x", "paths", "/etc"})


def test_nothing_is_written_through_a_link_of_the_archive(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    path = tmp_path / "crafted.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(_member("paths/x", tarfile.DIRTYPE))
        tar.addfile(_member("paths/x/link", tarfile.SYMTYPE, linkname=str(elsewhere)))
        tar.addfile(_member("paths/x/link/planted"))
    with pytest.raises(Damaged, match="paths/x/link/planted"):
        archive_restore.unpack(str(path), [Root("paths/x", str(tmp_path / "restored"))])
    assert list(elsewhere.iterdir()) == []


def _member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.uid, member.gid = kind, linkname, os.getuid(), os.getgid()
    return member
