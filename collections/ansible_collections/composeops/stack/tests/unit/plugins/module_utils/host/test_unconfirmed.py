# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A change that waits for its confirmation, on a host made of a temporary directory and a systemd that is played."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import pending, unconfirmed
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    File,
    Found,
    FoundPath,
    HostState,
    Unit,
)
from ansible_collections.composeops.stack.plugins.module_utils.host.unconfirmed import (
    SERVICE,
    TIMER,
    Unconfirmed,
    before,
    parse,
    serialise,
)
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd, UnitStatus
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

ME, MY_GROUP = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
CONTENTS = {"text": b"Port 22\n", "empty": b"", "no-text": b"\xff\x00"}


class Killed(BaseException):
    """The process ends here, without a word."""


@dataclass
class Machine:
    """A host whose ssh.service may refuse to restart, or be the last that a killed run touched."""

    refuses: bool = False
    dies: bool = False
    log: list[str] = field(default_factory=list)

    def answer(self, argv: Sequence[str]) -> tuple[int, str, str]:
        said = " ".join(word for word in argv if not word.startswith("--") or word.startswith("--on-active"))
        if said.startswith("systemctl show"):
            text = "Id=ssh.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nType=notify\n"
            return (0, text, "")
        self.log.append(said)
        if "restart" in said and self.dies:
            raise Killed
        return (1, "", "no") if "restart" in said and self.refuses else (0, "", "")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(pending, "PATH", str(tmp_path / "pending-units.json"))
    monkeypatch.setattr(unconfirmed, "PATH", str(tmp_path / "state/unconfirmed.json"))
    monkeypatch.setattr(unconfirmed, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(unconfirmed, "write_atomically", _written_by_anyone)
    return Machine()


def _written_by_anyone(path: str, content: bytes, *, mode: int) -> None:
    Path(path).write_bytes(content)
    Path(path).chmod(mode)


def of(machine: Machine) -> Unconfirmed:
    runner = RecordedRunner(machine.answer)
    return Unconfirmed(runner, Systemd(runner))


def wanted(path: Path, content: bytes = b"new\n") -> HostState:
    file = File(str(path), content, owner=ME, group=MY_GROUP)
    return HostState(files=(file,), units=(Unit("ssh.service", True, "started", restart_on=(str(path),)),))


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "sshd.conf"
    path.write_bytes(b"old\n")
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_what_is_on_record_is_what_was_there(content: bytes) -> None:
    files = (File("/etc/a", content, 0o600, "root", "adm"), File("/etc/b", present=False))
    units = (Unit("ssh.service", None, "stopped", ("/etc/a",), ("/etc/b",)),)
    state = HostState(files=files, units=units)
    assert parse(serialise(state)) == state


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": [{}], "units": []}'])
def test_a_record_that_is_none_is_named(text: str) -> None:
    with pytest.raises(ComposeOpsError, match=r"unconfirmed\.json cannot be read"):
        parse(text)


@pytest.mark.parametrize(
    ("status", "enabled", "state"),
    [
        (UnitStatus("loaded", "active", unit_file_state="enabled"), True, "started"),
        (UnitStatus("loaded", "inactive", unit_file_state="disabled"), False, "stopped"),
        (UnitStatus("loaded", "active", unit_file_state="static"), None, "started"),
        (UnitStatus("not-found"), None, "stopped"),
    ],
    ids=["running", "down", "nothing-to-enable", "unknown"],
)
def test_units_go_back_to_how_they_were_found(status: UnitStatus, enabled: bool | None, state: str) -> None:
    state_before = before(
        HostState(units=(Unit("one.service", True, "started"),)), Found(units={"one.service": status})
    )
    assert (state_before.units[0].enabled, state_before.units[0].state) == (enabled, state)


def test_files_go_back_to_how_they_were_found() -> None:
    found = Found(paths={"/etc/a": FoundPath("file", 0o640, "root", "adm", b"old")})
    files = before(HostState(files=(File("/etc/a", b"new"), File("/etc/b", b"new"))), found).files
    assert files == (File("/etc/a", b"old", 0o640, "root", "adm"), File("/etc/b", present=False))


def test_a_change_is_armed_before_it_is_made_and_kept_when_it_is_confirmed(
    machine: Machine, configuration: Path
) -> None:
    changes = of(machine).apply(wanted(configuration), 45)
    assert [change.sentence for change in changes] == [f"change {configuration}", "restart ssh.service"]
    armed = [said for said in machine.log if said.startswith("systemd-run") and "--on-active=45s" in said]
    assert machine.log.index(armed[0]) < machine.log.index("systemctl restart ssh.service")
    assert of(machine).exists
    of(machine).confirm()
    assert not of(machine).exists
    assert machine.log[-1] == f"systemctl stop {TIMER}"
    assert configuration.read_bytes() == b"new\n"
    assert of(machine).undo() == ()
    assert configuration.read_bytes() == b"new\n"


def test_the_timer_starts_what_the_role_installs(machine: Machine, configuration: Path) -> None:
    runner = RecordedRunner(machine.answer)
    Unconfirmed(runner, Systemd(runner)).apply(wanted(configuration), 45)
    armed = next(argv for argv in runner.calls if argv[0] == "systemd-run")
    assert f"--unit={SERVICE}" in armed
    assert TIMER.removesuffix(".timer") == SERVICE.removesuffix(".service")


def test_what_is_as_it_should_be_waits_for_nothing(machine: Machine, configuration: Path) -> None:
    assert of(machine).apply(wanted(configuration, b"old\n"), 45) == ()
    assert not of(machine).exists
    assert machine.log == []


def test_what_nobody_confirmed_is_put_back(machine: Machine, configuration: Path) -> None:
    of(machine).apply(wanted(configuration), 45)
    undone = of(machine).undo()
    assert [change.sentence for change in undone] == [f"change {configuration}", "restart ssh.service"]
    assert configuration.read_bytes() == b"old\n"
    with pytest.raises(ComposeOpsError, match="not confirmed in time"):
        of(machine).confirm()


def test_the_next_run_begins_with_what_was_there_before(machine: Machine, configuration: Path) -> None:
    of(machine).apply(wanted(configuration), 45)
    of(machine).apply(wanted(configuration, b"newer\n"), 45)
    of(machine).undo()
    assert configuration.read_bytes() == b"old\n"


def test_a_change_that_fails_is_put_back_at_once(machine: Machine, configuration: Path) -> None:
    machine.refuses = True
    with pytest.raises(ComposeOpsError):
        of(machine).apply(wanted(configuration), 45)
    # Even where what was there before does not come up either, its files are back and it is tried again.
    assert configuration.read_bytes() == b"old\n"
    assert of(machine).exists
    machine.refuses = False
    of(machine).undo()
    assert not of(machine).exists


def test_a_run_that_dies_in_the_middle_leaves_what_undoes_it(machine: Machine, configuration: Path) -> None:
    machine.dies = True
    with pytest.raises(Killed):
        of(machine).apply(wanted(configuration), 45)
    assert configuration.read_bytes() == b"new\n"
    machine.dies = False
    of(machine).undo()
    assert configuration.read_bytes() == b"old\n"
    assert machine.log.count("systemctl restart ssh.service") == 2
