# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import pytest
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    FinishInterruptedPackages,
    Found,
    HostState,
    InstallPackages,
    RemovePackages,
    SetHostname,
    SetKernelParameter,
    Step,
)
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_kernel import plan_hostname, plan_kernel
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_packages import plan_packages

PACKAGES = [
    pytest.param(("nginx",), (), {"nginx"}, False, [], id="installed"),
    pytest.param(("a", "b", "c"), (), {"b"}, False, [InstallPackages(("a", "c"))], id="install in one call"),
    pytest.param((), ("a",), {"a"}, False, [RemovePackages(("a",))], id="remove"),
    pytest.param((), ("a",), set(), False, [], id="absent already"),
    pytest.param(("a",), ("b",), {"b"}, False, [InstallPackages(("a",)), RemovePackages(("b",))], id="both"),
    pytest.param(("a",), (), {"a"}, True, [FinishInterruptedPackages()], id="finish what a killed run left"),
    pytest.param((), (), set(), True, [], id="no packages asked for, none of our business"),
]


@pytest.mark.parametrize(("wanted", "absent", "installed", "interrupted", "steps"), PACKAGES)
def test_packages(
    wanted: tuple[str, ...], absent: tuple[str, ...], installed: set[str], interrupted: bool, steps: list[Step]
) -> None:
    found = Found(packages=frozenset(installed), packages_interrupted=interrupted)
    changes = plan_packages(HostState(packages=wanted, absent_packages=absent), found)
    assert [change.step for change in changes] == steps
    assert all(change.before != change.after for change in changes)


@pytest.mark.parametrize(
    ("wanted", "found", "steps"),
    [
        pytest.param({"net.core.somaxconn": "4096"}, {"net.core.somaxconn": "4096"}, [], id="as wanted"),
        pytest.param(
            {"net.core.somaxconn": "4096"},
            {"net.core.somaxconn": "128"},
            [SetKernelParameter("net.core.somaxconn", "4096")],
            id="other value",
        ),
        pytest.param({"net.x": "1"}, {"net.x": None}, [SetKernelParameter("net.x", "1")], id="not there yet"),
    ],
)
def test_kernel_parameters(wanted: dict[str, str], found: dict[str, str | None], steps: list[Step]) -> None:
    assert [change.step for change in plan_kernel(wanted, found)] == steps


@pytest.mark.parametrize(
    ("wanted", "steps"),
    [
        pytest.param(None, [], id="left as it is"),
        pytest.param("old", [], id="as wanted"),
        pytest.param("new", [SetHostname("new")], id="rename"),
    ],
)
def test_host_name(wanted: str | None, steps: list[Step]) -> None:
    assert [change.step for change in plan_hostname(wanted, "old")] == steps
