# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

from collections.abc import Sequence

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import Systemd, UnitStatus, parse_show
from ansible_collections.composeops.stack.tests.unit.support.recorded import RecordedRunner

# As systemd 257 prints them; properties come in its own order.
RUNNING = """\
Id=nginx.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
ConditionResult=yes
ConditionTimestampMonotonic=1216434
Type=forking
NRestarts=2
"""
KEPT_DOWN = """\
Id=systemd-timesyncd.service
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=enabled
NeedDaemonReload=yes
ConditionResult=no
ConditionTimestampMonotonic=1216434
Type=notify
NRestarts=0
"""
NEVER_TRIED = KEPT_DOWN.replace("1216434", "0")
TIMER = """\
Id=apt-daily.timer
LoadState=loaded
ActiveState=active
SubState=waiting
UnitFileState=enabled
NeedDaemonReload=no
"""
UNKNOWN = """\
Id=nosuch.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no
ConditionResult=no
ConditionTimestampMonotonic=0
Type=notify
NRestarts=0
"""

BLOCKS = [
    pytest.param(
        RUNNING, UnitStatus("loaded", "active", "running", "enabled", service_type="forking", restarts=2), id="running"
    ),
    pytest.param(KEPT_DOWN, UnitStatus("loaded", "inactive", "dead", "enabled", True, True, "notify"), id="kept down"),
    pytest.param(
        NEVER_TRIED, UnitStatus("loaded", "inactive", "dead", "enabled", True, False, "notify"), id="never tried"
    ),
    pytest.param(TIMER, UnitStatus("loaded", "active", "waiting", "enabled"), id="a timer has no type"),
    pytest.param(UNKNOWN, UnitStatus("not-found", "inactive", "dead", service_type="notify"), id="unknown"),
]


@pytest.mark.parametrize(("block", "status"), BLOCKS)
def test_a_block_is_read(block: str, status: UnitStatus) -> None:
    assert parse_show(block, ["a.service"]) == {"a.service": status}


def test_blocks_belong_to_the_names_asked_for_also_by_an_alias() -> None:
    statuses = parse_show(f"{RUNNING}\n{UNKNOWN}", ["www.service", "nosuch.service"])
    assert [(name, status.load_state) for name, status in statuses.items()] == [
        ("www.service", "loaded"),
        ("nosuch.service", "not-found"),
    ]


def test_a_missing_block_is_an_error() -> None:
    with pytest.raises(ComposeOpsError, match="described 1 units of the 2"):
        parse_show(RUNNING, ["a.service", "b.service"])


@pytest.mark.parametrize(
    ("active", "sub", "expected"),
    [
        ("active", "running", True),
        ("active", "exited", True),
        ("activating", "start", True),
        ("activating", "auto-restart", False),
        ("reloading", "reload", True),
        ("failed", "failed", False),
        ("inactive", "dead", False),
        ("deactivating", "stop-sigterm", False),
    ],
)
def test_what_counts_as_active(active: str, sub: str, expected: bool) -> None:
    assert UnitStatus("loaded", active, sub).active is expected


@pytest.mark.parametrize(
    ("service_type", "expected"),
    [("notify", True), ("forking", True), ("oneshot", True), ("", True), ("simple", False), ("exec", False)],
)
def test_of_what_systemd_knows_the_readiness(service_type: str, expected: bool) -> None:
    assert UnitStatus("loaded", service_type=service_type).ready_when_started is expected


def test_nothing_asked_is_no_command() -> None:
    runner = RecordedRunner()
    assert Systemd(runner).status([]) == {}
    assert runner.calls == []


def test_many_units_are_one_command() -> None:
    runner = RecordedRunner(lambda argv: (0, f"{RUNNING}\n{KEPT_DOWN}", ""))
    Systemd(runner).status(["nginx.service", "systemd-timesyncd.service"])
    assert len(runner.calls) == 1
    assert runner.calls[0][-3:] == ["--", "nginx.service", "systemd-timesyncd.service"]


def test_a_failure_carries_the_units_last_lines() -> None:
    def answer(argv: Sequence[str]) -> tuple[int, str, str]:
        if argv[0] == "journalctl":
            return (0, "nginx: [emerg] no such file\n", "")
        return (1, "", "Job for web.service failed.") if "start" in argv else (0, "", "")

    runner = RecordedRunner(answer)
    with pytest.raises(ComposeOpsError, match=r"web\.service could not be started: Job .*\n.*\[emerg\] no such file"):
        Systemd(runner).command("start", "web.service")
    (journal,) = [argv for argv in runner.calls if argv[0] == "journalctl"]
    assert "--unit=web.service" in journal


@pytest.mark.parametrize(
    ("verb", "argv"),
    [
        ("reload", ["systemctl", "reload-or-restart", "--no-pager", "--", "web.service"]),
        ("enable", ["systemctl", "enable", "--no-pager", "--", "web.service"]),
    ],
)
def test_commands(verb: str, argv: list[str]) -> None:
    runner = RecordedRunner()
    Systemd(runner).command(verb, "web.service")
    assert runner.calls == [argv]
