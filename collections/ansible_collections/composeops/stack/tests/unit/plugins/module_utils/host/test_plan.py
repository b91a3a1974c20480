# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    Change,
    DaemonReload,
    File,
    Found,
    FoundPath,
    HostState,
    Unit,
)
from ansible_collections.composeops.stack.plugins.module_utils.host.plan import add_unforeseen, make_plan
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import UnitStatus

WANTED = HostState(
    packages=("web",),
    hostname="shop1",
    files=(File("/etc/web/main.conf", b"x"),),
    kernel={"net.a": "1"},
    units=(Unit("web.service", True, "started", reload_on=("/etc/web",)),),
)


def test_a_bare_host_gets_everything_in_order() -> None:
    plan = make_plan(WANTED, Found(hostname="bare", units={"web.service": UnitStatus("not-found")}))
    assert [change.sentence for change in plan.changes] == [
        "install web",
        "name the host shop1 (was bare)",
        "create /etc/web/main.conf",
        "set kernel parameter net.a to 1",
        "enable web.service",
        "start web.service",
    ]


def test_a_settled_host_gets_nothing() -> None:
    found = Found(
        packages=frozenset({"web"}),
        hostname="shop1",
        paths={"/etc/web/main.conf": FoundPath("file", 0o644, "root", "root", b"x")},
        kernel={"net.a": "1"},
        units={"web.service": UnitStatus("loaded", "active", "running", "enabled")},
    )
    assert make_plan(WANTED, found).changes == ()


def change(resource: str, sentence: str) -> Change:
    return Change(resource, sentence, "", "", DaemonReload())


@pytest.mark.parametrize(
    ("foreseen", "made", "expected"),
    [
        pytest.param(["file a: create"], ["file a: change"], ["file a: create"], id="told once, as seen before"),
        pytest.param(["file a: create"], ["file b: remove"], ["file a: create", "file b: remove"], id="and what came"),
        pytest.param([], [], [], id="nothing"),
    ],
)
def test_what_was_foreseen_is_told_once(foreseen: list[str], made: list[str], expected: list[str]) -> None:
    told = add_unforeseen(
        [change(one.split(":")[0], one) for one in foreseen], [change(one.split(":")[0], one) for one in made]
    )
    assert [one.sentence for one in told] == expected
