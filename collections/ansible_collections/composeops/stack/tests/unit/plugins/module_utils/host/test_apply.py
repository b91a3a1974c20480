# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applies plans to a host made of a temporary directory and a systemd that is played, and kills it on the way."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import CommandError, ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host import apply, observe, pending
from ansible_collections.composeops.stack.plugins.module_utils.host.apply import Applier
from ansible_collections.composeops.stack.plugins.module_utils.host.dpkg import Database
from ansible_collections.composeops.stack.plugins.module_utils.host.model import File, HostState, Unit, User
from ansible_collections.composeops.stack.plugins.module_utils.host.plan import make_plan
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

ME = pwd.getpwuid(os.getuid()).pw_name
MY_GROUP = grp.getgrgid(os.getgid()).gr_name

SHOW = (
    "Id={name}\nLoadState={load}\nActiveState={active}\nSubState={sub}\nUnitFileState={file}\n"
    "Type={type}\nNRestarts={restarts}\n"
)


class Killed(BaseException):
    """The process ends here, without a word."""


@dataclass
class Machine:
    """A host with one unit, which comes with the package ``web``."""

    load: str = "loaded"
    active: str = "active"
    file: str = "enabled"
    masked: bool = False
    installed: set[str] = field(default_factory=lambda: {"web"})
    type: str = "notify"
    restarts: int = 0
    crashes: bool = False
    die_at: str = ""
    log: list[str] = field(default_factory=list)

    def answer(self, argv: Sequence[str]) -> tuple[int, str, str]:
        words = [word for word in argv if not word.startswith("-")]
        said = " ".join(words)
        if words[0] == "journalctl":
            return (0, "", "")
        if words[:2] == ["systemctl", "show"]:
            load = "masked" if self.masked else self.load
            text = SHOW.format(
                name="web.service",
                load=load,
                active=self.active,
                sub="",
                file=self.file,
                type=self.type,
                restarts=self.restarts,
            )
            return (0, text, "")
        if self.die_at and self.die_at in said:
            raise Killed
        self._obey(words)
        self.log.append("apt-get install" if "install" in words else said)
        return (0, "", "")

    def _obey(self, words: Sequence[str]) -> None:
        verb = words[1]
        if verb in ("mask", "unmask"):
            self.masked = verb == "mask"
        if words[0] == "apt-get" and "install" in words:
            self.installed.add("web")
            self.load = "loaded"
            if not self.masked:
                self.active = "active"
        if verb == "enable":
            self.file = "enabled"
        if verb in ("start", "restart", "reload-or-restart"):
            self.active = "failed" if self.crashes else "active"
            self.restarts = 0 if verb != "reload-or-restart" else self.restarts


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(pending, "PATH", str(tmp_path / "state/pending-units.json"))
    monkeypatch.setattr(observe.dpkg, "read", lambda: Database(frozenset(machine.installed), interrupted=False))
    monkeypatch.setattr("ansible_collections.composeops.stack.plugins.module_utils.host.apt.lists_age", lambda: 0.0)
    return machine


def bare(machine: Machine) -> None:
    machine.load, machine.active, machine.file = "not-found", "inactive", ""
    machine.installed = set()


def wanted(tmp_path: Path, content: bytes = b"new", *, follows: str = "reload_on") -> HostState:
    path = str(tmp_path / "main.conf")
    unit = Unit("web.service", True, "started", **{follows: (path,)})
    return HostState(packages=("web",), files=(File(path, content, owner=ME, group=MY_GROUP),), units=(unit,))


def run(machine: Machine, state: HostState) -> list[str]:
    """Observe, plan and apply as the module does; return the sentences of what changed."""
    machine.log.clear()
    runner = RecordedRunner(machine.answer)
    systemd = Systemd(runner)
    found = observe.observe(state, systemd)
    plan = make_plan(state, found)
    if not plan.changes:
        return []
    return [change.sentence for change in Applier(runner, systemd).apply(state, found, plan)]


def test_a_bare_host_is_set_up_and_then_left_alone(machine: Machine, tmp_path: Path) -> None:
    bare(machine)
    state = wanted(tmp_path)
    assert run(machine, state) == [
        "install web",
        f"create {tmp_path}/main.conf",
        "enable web.service",
        "start web.service",
    ]
    # Held back while its package is installed, it starts once, with its configuration.
    assert machine.log == [
        "systemctl mask web.service",
        "apt-get install",
        "systemctl unmask web.service",
        "systemctl unmask web.service",
        "systemctl enable web.service",
        "systemctl reset-failed web.service",
        "systemctl start web.service",
    ]
    assert run(machine, state) == []
    assert pending.read() == {}


def test_what_check_mode_foresees_on_a_bare_host_is_what_is_done(machine: Machine, tmp_path: Path) -> None:
    bare(machine)
    state = wanted(tmp_path)
    foreseen = make_plan(state, observe.observe(state, Systemd(RecordedRunner(machine.answer)))).changes
    assert [change.sentence for change in foreseen] == run(machine, state)


def test_a_changed_file_reloads_its_unit(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "main.conf").write_text("old")
    assert run(machine, wanted(tmp_path)) == [f"change {tmp_path}/main.conf", "reload web.service"]
    assert machine.log == ["systemctl reload-or-restart web.service"]


@pytest.mark.parametrize(
    ("follows", "die_at", "verb"),
    [
        pytest.param("reload_on", "reload-or-restart", "reload", id="before the reload"),
        pytest.param("restart_on", "restart", "restart", id="before the restart"),
    ],
)
def test_a_run_killed_between_file_and_unit_is_made_good(
    machine: Machine, tmp_path: Path, follows: str, die_at: str, verb: str
) -> None:
    (tmp_path / "main.conf").write_text("old")
    state = wanted(tmp_path, follows=follows)
    machine.die_at = die_at
    with pytest.raises(Killed):
        run(machine, state)
    assert (tmp_path / "main.conf").read_text() == "new"
    machine.die_at = ""
    assert run(machine, state) == [f"{verb} web.service"]
    assert run(machine, state) == []


def test_a_run_killed_while_it_writes_owes_the_reload_already(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_arguments: object, **_options: object) -> None:
        raise Killed

    state = wanted(tmp_path)
    with monkeypatch.context() as context:
        context.setattr(apply.tree, "write_file", die)
        with pytest.raises(Killed):
            run(machine, state)
    assert pending.read() == {"web.service": "reload"}


@pytest.mark.parametrize("die_at", ["install web", "unmask", "enable", "start"])
def test_a_first_run_killed_anywhere_is_finished_by_the_next(machine: Machine, tmp_path: Path, die_at: str) -> None:
    bare(machine)
    state = wanted(tmp_path)
    machine.die_at = die_at
    with pytest.raises(Killed):
        run(machine, state)
    machine.die_at = ""
    run(machine, state)
    assert (machine.active, machine.file, machine.masked) == ("active", "enabled", False)
    assert (tmp_path / "main.conf").read_text() == "new"
    assert run(machine, state) == []


def test_a_daemon_that_systemd_once_restarted_can_be_reloaded(machine: Machine, tmp_path: Path) -> None:
    machine.restarts = 5
    assert run(machine, wanted(tmp_path)) == [f"create {tmp_path}/main.conf", "reload web.service"]


def test_units_of_other_callers_stay_owed(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "main.conf").write_text("old")
    pending.write({"other.service": "restart"})
    run(machine, wanted(tmp_path))
    assert pending.read() == {"other.service": "restart"}


def test_a_daemon_that_ends_at_once_is_a_failure(machine: Machine, tmp_path: Path) -> None:
    machine.active, machine.crashes = "inactive", True
    with pytest.raises(ComposeOpsError, match=r"web\.service did not stay up and is failed"):
        run(machine, wanted(tmp_path))


@pytest.mark.parametrize(
    ("active", "restarts"), [("failed", 0), ("active", 3)], ids=["ended", "restarted by systemd again and again"]
)
def test_a_simple_daemon_has_to_stay_up_for_a_moment(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, active: str, restarts: int
) -> None:
    def crash(_seconds: float) -> None:
        machine.active, machine.restarts = active, restarts

    machine.active, machine.type = "inactive", "simple"
    monkeypatch.setattr(apply.time, "sleep", crash)
    with pytest.raises(ComposeOpsError, match=rf"web\.service did not stay up and is {active}"):
        run(machine, wanted(tmp_path))
    # Also where it happens to run when the next run looks at it.
    machine.active, machine.restarts = "active", 7
    with pytest.raises(ComposeOpsError, match=r"web\.service did not stay up"):
        run(machine, wanted(tmp_path))
    machine.active = "active"
    monkeypatch.setattr(apply.time, "sleep", lambda _seconds: None)
    assert run(machine, wanted(tmp_path)) == ["restart web.service"]
    assert run(machine, wanted(tmp_path)) == []


def test_a_failed_step_names_its_resource_and_tells_what_was_done(machine: Machine, tmp_path: Path) -> None:
    state = wanted(tmp_path)
    broken = HostState(files=(*state.files, File(str(tmp_path / "none/b"), owner=ME, group=MY_GROUP)))
    runner = RecordedRunner(machine.answer)
    applier = Applier(runner, Systemd(runner))
    found = observe.observe(broken, applier.systemd)
    with pytest.raises(ComposeOpsError, match=f"^file {tmp_path}/none/b: "):
        applier.apply(broken, found, make_plan(broken, found))
    assert [change.sentence for change in applier.made] == [f"create {tmp_path}/main.conf"]


def test_a_package_that_is_only_provided_by_others_is_refused(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare(machine)
    monkeypatch.setattr(machine, "_obey", lambda words: None)
    with pytest.raises(ComposeOpsError, match="it is no package but what others provide"):
        run(machine, HostState(packages=("mail-transport-agent",)))


def test_a_refused_kernel_parameter_is_named(machine: Machine) -> None:
    state = HostState(kernel={"net.ipv4.no_such_parameter": "1"})
    with pytest.raises(ComposeOpsError, match=r"kernel parameter net\.ipv4\.no_such_parameter: this kernel has no"):
        run(machine, state)


def test_a_failed_account_command_names_the_account(machine: Machine) -> None:
    def refuse(argv: Sequence[str]) -> tuple[int, str, str]:
        return (9, "", "useradd: group ana exists") if argv[0] == "useradd" else machine.answer(argv)

    runner = RecordedRunner(refuse)
    applier = Applier(runner, Systemd(runner))
    state = HostState(users=(User("no-such-account"),))
    found = observe.observe(state, applier.systemd)
    with pytest.raises(ComposeOpsError, match=r"^user no-such-account: .*group ana exists") as raised:
        applier.apply(state, found, make_plan(state, found))
    assert isinstance(raised.value.__cause__, CommandError)
