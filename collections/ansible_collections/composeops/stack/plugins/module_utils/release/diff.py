# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows what a deployment changes in the files of a stack, without showing a secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from ansible_collections.composeops.stack.plugins.module_utils.release.compose import ENVIRONMENT_FILE
from ansible_collections.composeops.stack.plugins.module_utils.release.masking import SHOWN, mask
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectFiles

_VARIABLE = re.compile(r'^(\w+)=".*"$')


def differences(
    before: ProjectFiles | None, after: ProjectFiles, names: Collection[str], values: Collection[str]
) -> list[dict[str, str]]:
    """Return one entry for each file that changes; ``names`` and ``values`` are those of the secrets."""
    old = {path: content for path, (content, _) in before.entries()} if before else {}
    new = {path: content for path, (content, _) in after.entries()}
    return [
        {
            "before_header": path,
            "after_header": path,
            "before": _shown(path, old.get(path), new.get(path), names, values, label=""),
            "after": _shown(path, new.get(path), old.get(path), names, values, label=", changed"),
        }
        for path in after.changed_from(before)
    ]


def _shown(
    path: str,
    content: bytes | None,
    other: bytes | None,
    names: Collection[str],
    values: Collection[str],
    *,
    label: str,
) -> str:
    if content is None:
        return ""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"(binary, {len(content)} bytes)\n"
    if path == ENVIRONMENT_FILE:
        text = _hidden(text, _variables(other or b""), names, label)
    return mask(text, values)


def _hidden(text: str, other: Mapping[str, str], names: Collection[str], label: str) -> str:
    lines = []
    for line in text.splitlines():
        found = _VARIABLE.match(line)
        if found and found.group(1) in names:
            changed = label if other.get(found.group(1), line) != line else ""
            line = f"{found.group(1)}={SHOWN[:-1]}{changed})"  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines) + "\n"


def _variables(content: bytes) -> dict[str, str]:
    lines = content.decode("utf-8", "replace").splitlines()
    return {found.group(1): line for line in lines if (found := _VARIABLE.match(line))}
