# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of variables that nobody reads: misspelt ones are silently ignored by Ansible, and here they are not; pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping

from ansible_collections.composeops.stack.plugins.module_utils.preflight.model import Problem

ALMOST_THE_SAME = 0.9
SIMILAR = 0.6

FROM_ELSEWHERE = ("ansible_", "awx_", "tower_")
"""Variables that Ansible and AWX add to a run."""


def unknown_role_variables(names: Iterable[str], options: Mapping[str, Collection[str]]) -> list[Problem]:
    """Return a problem for each name that looks like a role's variable and is none.

    ``options`` has the variables of each role. A name looks like one when it begins with the role's name, or when
    it is almost the same as a variable of a role.
    """
    known = {option for role in options.values() for option in role}
    problems = []
    for name in sorted(set(names) - known):
        if name.startswith("_"):
            continue
        role = max((role for role in options if name.startswith(f"{role}_")), key=len, default=None)
        nearest = difflib.get_close_matches(name, known, 1, SIMILAR if role else ALMOST_THE_SAME)
        if role is None and not nearest:
            continue
        place = f"the role {role} has no such variable" if role else "no role has such a variable"
        remedy = f"Did you mean {nearest[0]}?" if nearest else "Remove it, or look it up in docs/variables.md."
        problems.append(Problem("variables", f"{name} is set, but {place}.", remedy))
    return problems


def unknown_extra_variables(extra: Iterable[str], arguments: Collection[str], known: Collection[str]) -> list[Problem]:
    """Return a problem for each variable given on the command line that neither playbook, role nor inventory knows."""
    problems = []
    for name in sorted(extra):
        if name in arguments or name in known or name.startswith(FROM_ELSEWHERE):
            continue
        nearest = difflib.get_close_matches(name, [*arguments, *known], 1, SIMILAR)
        taken = f"This playbook takes: {', '.join(sorted(arguments))}." if arguments else "This playbook takes none."
        remedy = f"Did you mean {nearest[0]}? {taken}" if nearest else taken
        problems.append(Problem("variables", f"-e {name} is given, but nothing reads it.", remedy))
    return problems
