# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lets the packages of nginx be upgraded without a lost request.

Debian's nginx-common restarts nginx, which refuses connections for a moment, and after that nginx replaces its program
while it serves. So the first is refused by systemd while apt runs, and clients are let go before the second.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable

from ansible_collections.composeops.stack.plugins.module_utils.edge import draining
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import Runner

DROP_IN = "/run/systemd/system/nginx.service.d/composeops-upgrade.conf"
TEXT = """\
# There while process {owner} upgrades nginx: its packages would restart it, and it replaces its program without that.
[Unit]
RefuseManualStop=yes
"""
_OWNER = re.compile(r"process (\d+) upgrades")
SHELLS = ("sh", "dash", "bash")


def begin(runner: Runner, owner: int, idle_connections: Callable[[], int | None], drop_in: str = DROP_IN) -> None:
    """Keep nginx from being restarted while the process ``owner`` runs, and let clients go."""
    os.makedirs(os.path.dirname(drop_in), mode=0o755, exist_ok=True)
    files.write_atomically(drop_in, TEXT.format(owner=owner).encode(), mode=0o644, uid=os.geteuid(), gid=os.getegid())
    runner.run(["systemctl", "daemon-reload"])
    draining.begin(owner, idle_connections)


def end(runner: Runner, drop_in: str = DROP_IN) -> None:
    """Let nginx be restarted, and connections be kept, as before."""
    draining.end()
    _allow_restarts(runner, drop_in)


def was_left(drop_in: str = DROP_IN) -> bool:
    """Whether a run or an upgrade that was killed left connections closed, or nginx without a way to restart it."""
    return draining.was_left() or _abandoned(drop_in)


def end_left(runner: Runner, drop_in: str = DROP_IN) -> None:
    """End what was left; what another process has under way stays."""
    if draining.was_left():
        draining.end()
    if _abandoned(drop_in):
        _allow_restarts(runner, drop_in)


def _abandoned(drop_in: str) -> bool:
    text = files.read_text(drop_in)
    owner = _OWNER.search(text or "")
    return text is not None and (owner is None or draining.ended(owner.group(1)))


def _allow_restarts(runner: Runner, drop_in: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(drop_in)
        runner.run(["systemctl", "daemon-reload"])


def caller(pid: int, parents: Callable[[int], tuple[str, int]]) -> int:
    """Return the process that runs the hook: the nearest ancestor of ``pid`` that is no shell.

    ``parents`` returns the name and the parent of a process.
    """
    name, parent = parents(pid)
    while name in SHELLS and parent > 1:
        pid = parent
        name, parent = parents(pid)
    return pid


def parents(pid: int) -> tuple[str, int]:
    """Return the name and the parent of a process of this host."""
    text = files.read_text(f"/proc/{pid}/stat") or "0 () ? 1"
    name, _, rest = text.partition("(")[2].rpartition(")")
    return name, int(rest.split()[1])
