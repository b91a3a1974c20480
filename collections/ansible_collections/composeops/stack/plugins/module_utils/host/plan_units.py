# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What systemd has to do: units enabled, started and stopped, and restarted or reloaded after what they read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.host.model import (
    Change,
    DaemonReload,
    Unit,
    UnitCommand,
    UnitVerb,
)
from ansible_collections.composeops.stack.plugins.module_utils.io.systemd import UnitStatus

UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
NOTHING_TO_ENABLE = ("static", "alias", "indirect", "generated", "transient")
"""States of units that have no install section of their own: something else starts them."""


def plan_units(
    wanted: Sequence[Unit],
    found: Mapping[str, UnitStatus],
    pending: Mapping[str, str],
    changed: Iterable[str],
    *,
    may_appear: bool,
) -> list[Change]:
    """Return the changes of units.

    ``pending`` are the restarts and reloads that an interrupted run still owes. With ``may_appear`` a package is to
    be installed that may bring units which systemd does not know yet.
    """
    changed = tuple(changed)
    changes: list[Change] = []
    if wanted and _needs_daemon_reload(found, changed):
        changes.append(Change("systemd", "have systemd read its unit files again", "", "", DaemonReload()))
    appearing = {posixpath.basename(path) for path in changed if below(path, UNIT_DIRECTORIES)}
    for unit in wanted:
        current = found.get(unit.name, UnitStatus("not-found"))
        if current.load_state == "not-found" and not may_appear and not _template_of(unit.name) & appearing:
            if unit.state == "started" or unit.enabled:
                raise ComposeOpsError(
                    f"systemd knows no unit {unit.name}.", "Correct its name, or install the package that brings it."
                )
            continue
        verbs = _verbs(unit, current, owed_verb(unit, changed, pending))
        changes += [_change(unit.name, verb, current) for verb in verbs]
    return changes


def owed_verb(unit: Unit, changed: Iterable[str], pending: Mapping[str, str]) -> str | None:
    """Return "restart" or "reload" where the unit has to take up changed paths, now or from an interrupted run."""
    changed = tuple(changed)
    owed = pending.get(unit.name)
    if owed == "restart" or any(below(path, unit.restart_on) for path in changed):
        return "restart"
    if owed == "reload" or any(below(path, unit.reload_on) for path in changed):
        return "reload"
    return None


def below(path: str, roots: Iterable[str]) -> bool:
    """Return whether ``path`` is one of ``roots`` or lies below one; /etc/nginx2 does not lie below /etc/nginx."""
    return any(path == root or path.startswith(root.rstrip("/") + "/") for root in roots)


def _needs_daemon_reload(found: Mapping[str, UnitStatus], changed: Iterable[str]) -> bool:
    return any(unit.needs_daemon_reload for unit in found.values()) or any(
        below(path, UNIT_DIRECTORIES) for path in changed
    )


def _template_of(name: str) -> set[str]:
    """Return the unit's own name and, for an instance such as check@web.timer, that of its template."""
    stem, separator, _ = name.partition("@")
    return {name, f"{stem}@{posixpath.splitext(name)[1]}"} if separator else {name}


def _verbs(unit: Unit, current: UnitStatus, owed: str | None) -> list[UnitVerb]:
    verbs: list[UnitVerb] = []
    enabled = current.unit_file_state in ("enabled", *NOTHING_TO_ENABLE)
    wanted_up = unit.enabled or unit.state == "started"
    if current.load_state == "masked" and wanted_up:
        verbs.append("unmask")
        enabled = False
    if unit.enabled and not enabled:
        verbs.append("enable")
    if unit.enabled is False and current.unit_file_state in ("enabled", "enabled-runtime"):
        verbs.append("disable")
    if unit.state == "stopped":
        return [*verbs, "stop"] if current.active else verbs
    if current.active:
        return [*verbs, "restart" if owed == "restart" else "reload"] if owed else verbs
    # What its own conditions keep down stays down, unless something that they may be about has changed.
    if unit.state == "started" and (verbs or owed or not current.conditions_failed):
        verbs.append("start")
    return verbs


def _change(name: str, verb: UnitVerb, current: UnitStatus) -> Change:
    befores = {"enable": "disabled", "disable": "enabled", "unmask": "masked"}
    afters = {"enable": "enabled", "disable": "disabled", "unmask": "not masked", "stop": "inactive"}
    before = befores.get(verb, current.active_state)
    after = afters.get(verb, "active" if verb == "start" else f"active ({verb}ed)")
    return Change(f"unit {name}", f"{verb} {name}", f"{before}\n", f"{after}\n", UnitCommand(name, verb))
