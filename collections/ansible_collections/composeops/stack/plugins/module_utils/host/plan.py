# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what is wanted and what was found to the ordered changes; pure, so check mode and apply cannot disagree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.host.model import Change, Found, HostState
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_accounts import plan_accounts
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_kernel import plan_hostname, plan_kernel
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_packages import plan_packages
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_paths import plan_paths
from ansible_collections.composeops.stack.plugins.module_utils.host.plan_units import plan_units


@dataclass(frozen=True)
class Plan:
    """The changes in the order they are made. Units are planned apart, as they follow what really changed."""

    packages: tuple[Change, ...] = ()
    configuration: tuple[Change, ...] = ()
    units: tuple[Change, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        return self.packages + self.configuration + self.units


def make_plan(wanted: HostState, found: Found, *, units_may_appear: bool = False) -> Plan:
    """Return everything that differs, in order: packages, accounts, host name, paths, kernel parameters, units.

    With ``units_may_appear`` something that was only foreseen may bring units which systemd does not know yet.
    """
    packages = plan_packages(wanted, found)
    accounts, key_directories, key_files = plan_accounts(wanted.users, wanted.groups, found)
    configuration = [
        *accounts,
        *plan_hostname(wanted.hostname, found.hostname),
        *plan_paths(wanted.directories + key_directories, wanted.files + key_files, wanted.links, found.paths),
        *plan_kernel(wanted.kernel, found.kernel),
    ]
    units = plan_units(
        wanted.units,
        found.units,
        found.pending,
        changed_paths(configuration),
        may_appear=units_may_appear or bool(packages),
    )
    return Plan(tuple(packages), tuple(configuration), tuple(units))


def changed_paths(changes: Iterable[Change]) -> tuple[str, ...]:
    return tuple(change.path for change in changes if change.path is not None)


def add_unforeseen(foreseen: Iterable[Change], made: Iterable[Change]) -> tuple[Change, ...]:
    """Return what was foreseen, then what was made beyond it.

    Installing a package creates files and accounts, so the changes made after it differ in detail from those foreseen
    before it: a file to be created is by then one to be changed. Both are about the same resource, which is told once,
    as seen from the beginning.
    """
    foreseen = tuple(foreseen)
    known = {change.resource for change in foreseen}
    return foreseen + tuple(change for change in made if change.resource not in known)
