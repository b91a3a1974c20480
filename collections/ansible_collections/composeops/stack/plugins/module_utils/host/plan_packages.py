# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which packages to install and to remove."""

from __future__ import annotations

from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    Change,
    FinishInterruptedPackages,
    Found,
    HostState,
    InstallPackages,
    RemovePackages,
)


def plan_packages(wanted: HostState, found: Found) -> list[Change]:
    changes = []
    missing = tuple(name for name in wanted.packages if name not in found.packages)
    surplus = tuple(name for name in wanted.absent_packages if name in found.packages)
    if found.packages_interrupted and (wanted.packages or wanted.absent_packages):
        sentence = "finish the package installation that was interrupted"
        changes.append(
            Change("interrupted packages", sentence, "interrupted\n", "configured\n", FinishInterruptedPackages())
        )
    # One apt-get call each: apt resolves the set as a whole, and its start costs more than most packages.
    if missing:
        changes.append(
            Change(
                f"packages {' '.join(missing)}",
                f"install {', '.join(missing)}",
                "",
                "".join(f"{name}\n" for name in missing),
                InstallPackages(missing),
            )
        )
    if surplus:
        changes.append(
            Change(
                f"packages {' '.join(surplus)}",
                f"remove the packages {', '.join(surplus)}",
                "".join(f"{name}\n" for name in surplus),
                "",
                RemovePackages(surplus),
            )
        )
    return changes
