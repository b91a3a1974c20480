# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How modules end: what a domain returned or raised, told in Ansible's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError


def exit_with(
    module: AnsibleModule,
    carry_out: Callable[[], dict[str, Any]],
    *,
    after_failure: Callable[[ComposeOpsError], Mapping[str, Any]] = lambda _error: {},
) -> None:
    """Carry out what the module was asked for, and exit with its result.

    Of the result, ``warnings`` become Ansible's, ``diff`` is returned where one was asked for, and ``failed`` makes the
    module fail with all the rest. ``after_failure`` says what is returned beside the message of an error.
    """
    try:
        result = carry_out()
    except ComposeOpsError as error:
        for note in error.notes:
            module.warn(note)
        module.fail_json(msg=str(error), **after_failure(error))
        return
    for warning in result.pop("warnings", ()):
        module.warn(warning)
    if not module._diff:
        result.pop("diff", None)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def failing(result: dict[str, Any], problems: Sequence[str]) -> dict[str, Any]:
    """Return the result of a run that did what it could; with ``problems`` it fails, and they are the message."""
    return {**result, "failed": True, "msg": "\n".join(problems)} if problems else result
