# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Changes to a host as a module returns them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.host.model import Change
from ansible_collections.composeops.stack.plugins.module_utils.host.plan import changed_paths


def result_of(changes: Sequence[Change]) -> dict[str, Any]:
    return {
        "changed": bool(changes),
        "plan": sentences(changes),
        "changed_paths": list(changed_paths(changes)),
        "diff": [_difference(change) for change in changes],
    }


def sentences(changes: Sequence[Change]) -> list[str]:
    return [change.sentence for change in changes]


def _difference(change: Change) -> dict[str, str]:
    header = change.path or change.resource
    return {"before_header": header, "after_header": header, "before": change.before, "after": change.after}
