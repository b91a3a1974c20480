# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Shows what a deployment changes in the files of a stack, without showing a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

from ansible_collections.composeops.stack.plugins.module_utils.preflight.compose import dotenv
from ansible_collections.composeops.stack.plugins.module_utils.release.compose import ENVIRONMENT_FILE
from ansible_collections.composeops.stack.plugins.module_utils.release.masking import SHOWN, mask
from ansible_collections.composeops.stack.plugins.module_utils.release.passwords import (
    is_name_of_password,
    spelled_out,
)
from ansible_collections.composeops.stack.plugins.module_utils.release.project import ProjectFiles

_VARIABLE = re.compile(r'^(\w+)=".*"$')


def differences(
    before: ProjectFiles | None, after: ProjectFiles, names: Collection[str], values: Collection[str]
) -> list[dict[str, str]]:
    """Return one entry for each file that changes; ``names`` and ``values`` are those of the secrets."""
    values = {*values, *_spelled_out(before), *_spelled_out(after)}
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


def _spelled_out(files: ProjectFiles | None) -> set[str]:
    """Return the passwords that a compose file, or a file of variables beside it, spells out."""
    if files is None:
        return set()
    try:
        services = (json.loads(files.compose).get("services") or {}).values()
    except (ValueError, AttributeError):  # somebody's edit on the host
        services = ()
    found = {password for service in services for _, password in spelled_out(service)}
    variables = [dotenv(file.content.decode("utf-8", "replace")) for file in files.files if file.path.endswith(".env")]
    return found | {value for known in variables for name, value in known.items() if is_name_of_password(name)}


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
