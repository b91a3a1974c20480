# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host.model import Unit
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_units import below, plan_units
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import UnitStatus

NAME = "web.service"
RUNNING = UnitStatus("loaded", "active", "running", "enabled")
STOPPED = UnitStatus("loaded", "inactive", "dead", "disabled")
FAILED = UnitStatus("loaded", "failed", "failed", "enabled")
CRASHING = UnitStatus("loaded", "activating", "auto-restart", "enabled")
STARTING = UnitStatus("loaded", "activating", "start", "enabled")
STATIC = UnitStatus("loaded", "active", "running", "static")
MASKED = UnitStatus("masked", "inactive", "dead", "masked-runtime")
KEPT_DOWN = UnitStatus("loaded", "inactive", "dead", "enabled", conditions_failed=True)
UNKNOWN = UnitStatus("not-found")


def wanted(enabled: bool | None = None, state: str | None = None, restart_on: str = "", reload_on: str = "") -> Unit:
    return Unit(NAME, enabled, state, tuple(restart_on.split()), tuple(reload_on.split()))  # type: ignore[arg-type]


UP = wanted(True, "started", restart_on="/etc/web/main.conf", reload_on="/etc/web")

CASES = [
    pytest.param(UP, RUNNING, [], "", [], id="as wanted"),
    pytest.param(UP, STARTING, [], "", [], id="on its way"),
    pytest.param(UP, STOPPED, [], "", ["enable", "start"], id="stopped and disabled"),
    pytest.param(UP, FAILED, [], "", ["start"], id="failed"),
    pytest.param(UP, CRASHING, [], "", ["start"], id="waits to be restarted after a failure"),
    pytest.param(UP, MASKED, [], "", ["unmask", "enable", "start"], id="masked, as a killed installation leaves it"),
    pytest.param(UP, KEPT_DOWN, [], "", [], id="kept down by its own conditions"),
    pytest.param(UP, KEPT_DOWN, ["/etc/web/x"], "", ["start"], id="kept down, and what it may wait for has changed"),
    pytest.param(UP, RUNNING, ["/etc/other"], "", [], id="a change elsewhere"),
    pytest.param(UP, RUNNING, ["/etc/web/x"], "", ["reload"], id="a change below what it reloads on"),
    pytest.param(UP, RUNNING, ["/etc/web"], "", ["reload"], id="a change of what it reloads on"),
    pytest.param(UP, RUNNING, ["/etc/website"], "", [], id="a path that only begins alike"),
    pytest.param(UP, RUNNING, ["/etc/web/x", "/etc/web/main.conf"], "", ["restart"], id="a restart covers a reload"),
    pytest.param(UP, STOPPED, ["/etc/web/main.conf"], "", ["enable", "start"], id="a start covers a restart"),
    pytest.param(UP, RUNNING, [], "restart", ["restart"], id="owed a restart by a killed run"),
    pytest.param(UP, RUNNING, [], "reload", ["reload"], id="owed a reload by a killed run"),
    pytest.param(UP, RUNNING, ["/etc/web/x"], "restart", ["restart"], id="owed a restart, reload now"),
    pytest.param(wanted(True), STATIC, [], "", [], id="a static unit has nothing to enable"),
    pytest.param(wanted(False), RUNNING, [], "", ["disable"], id="disable and leave running"),
    pytest.param(wanted(False), STATIC, [], "", [], id="a static unit has nothing to disable"),
    pytest.param(wanted(False, "stopped"), RUNNING, [], "", ["disable", "stop"], id="disable and stop"),
    pytest.param(wanted(False, "stopped"), STOPPED, [], "", [], id="down as wanted"),
    pytest.param(wanted(False, "stopped"), UNKNOWN, [], "", [], id="unknown is as good as down"),
    pytest.param(wanted(False, "stopped", "/etc/web"), RUNNING, ["/etc/web"], "", ["disable", "stop"], id="only stop"),
    pytest.param(wanted(restart_on="/etc/web"), RUNNING, ["/etc/web"], "", ["restart"], id="restart if running"),
    pytest.param(wanted(restart_on="/etc/web"), STOPPED, ["/etc/web"], "", [], id="no restart of what does not run"),
]


@pytest.mark.parametrize(("unit", "found", "changed", "owed", "verbs"), CASES)
def test_a_unit_gets_what_it_needs_and_no_more(
    unit: Unit, found: UnitStatus, changed: list[str], owed: str, verbs: list[str]
) -> None:
    changes = plan_units([unit], {NAME: found}, {NAME: owed} if owed else {}, changed, may_appear=False)
    assert [change.sentence for change in changes] == [f"{verb} {NAME}" for verb in verbs]


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(ComposeOpsError, match=r"knows no unit web\.service"):
        plan_units([UP], {NAME: UNKNOWN}, {}, [], may_appear=False)


@pytest.mark.parametrize(
    ("unit", "changed", "may_appear"),
    [
        pytest.param("web.service", [], True, id="a package to be installed may bring it"),
        pytest.param("web.service", ["/etc/systemd/system/web.service"], False, id="its file is written in this call"),
        pytest.param("web@a.service", ["/etc/systemd/system/web@.service"], False, id="its template is written"),
    ],
)
def test_a_unit_that_is_about_to_appear_is_planned(unit: str, changed: list[str], may_appear: bool) -> None:
    changes = plan_units([Unit(unit, True, "started")], {unit: UNKNOWN}, {}, changed, may_appear=may_appear)
    assert [change.sentence for change in changes if "unit files" not in change.sentence] == [
        f"enable {unit}",
        f"start {unit}",
    ]


@pytest.mark.parametrize(
    ("changed", "stale", "expected"),
    [
        pytest.param(["/etc/systemd/system/web.service"], False, True, id="unit file"),
        pytest.param(["/etc/systemd/system/web.service.d/limits.conf"], False, True, id="drop-in"),
        pytest.param(["/etc/web/x"], False, False, id="other file"),
        pytest.param([], True, True, id="systemd says that a file is newer than what it read"),
    ],
)
def test_systemd_reads_its_unit_files_again_when_they_changed(changed: list[str], stale: bool, expected: bool) -> None:
    found = UnitStatus("loaded", "active", "running", "enabled", needs_daemon_reload=stale)
    changes = plan_units([Unit(NAME, True, "started")], {NAME: found}, {}, changed, may_appear=False)
    assert [change.resource for change in changes] == (["systemd"] if expected else [])


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [("/etc/a", "/etc/a", True), ("/etc/a/b", "/etc/a", True), ("/etc/ab", "/etc/a", False), ("/x", "/", True)],
)
def test_below(path: str, root: str, expected: bool) -> None:
    assert below(path, [root]) is expected
