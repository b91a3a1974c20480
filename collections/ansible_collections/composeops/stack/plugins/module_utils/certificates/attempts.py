# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is remembered of attempts to get a certificate: failures, so that the timer does not hurry into a rate limit.

The first failure keeps it from asking for an hour, each further one for twice as long, a day at most. An authority
that names a time is not asked before. Someone who runs the playbook is never kept from asking.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta, timezone

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

DIRECTORY = "/var/lib/composeops/certificates"
FIRST_DELAY, LONGEST_DELAY = timedelta(hours=1), timedelta(hours=24)


@dataclass(frozen=True)
class Attempts:
    """What is remembered of one certificate; times are seconds of the epoch."""

    failures: int = 0
    last_failed: int = 0
    not_before: int = 0
    """Until then the timer does not ask."""
    reason: str = ""
    serial: str = ""
    """Which certificate the authority was asked about."""
    renew_at: int = 0
    """When the authority wants that one replaced, as far as it was asked; 0 where it was not."""
    ask_window_at: int = 0
    """When it may be asked for that again."""

    def waiting(self, now: datetime) -> bool:
        return self.failures > 0 and now.timestamp() < self.not_before

    def of(self, serial: str) -> Attempts:
        """Return what is remembered of this certificate: certbot may have renewed the one that was asked about."""
        return self if self.serial == serial else replace(self, serial=serial, renew_at=0, ask_window_at=0)


def failed(before: Attempts, reason: str, now: datetime, retry_at: datetime | None = None) -> Attempts:
    """Return what is remembered after one more failure."""
    failures = before.failures + 1
    not_before = now + delay(failures)
    if retry_at and retry_at > not_before:
        not_before = retry_at
    return replace(
        before,
        failures=failures,
        last_failed=int(now.timestamp()),
        not_before=int(not_before.timestamp()),
        reason=reason,
    )


def delay(failures: int) -> timedelta:
    """Return for how long the timer does not ask after so many failures in a row."""
    return min(FIRST_DELAY * (1 << min(failures - 1, 10)), LONGEST_DELAY)


def read(site: str, directory: str = "") -> Attempts:
    """Return what is remembered; nothing where the file cannot be understood, which costs one attempt at worst."""
    try:
        content = json.loads(files.read_text(_path(site, directory)) or "{}")
        return Attempts(**content)
    except (ValueError, TypeError):
        return Attempts()


def write(site: str, attempts: Attempts, directory: str = "") -> None:
    """Remember. A disk that is full must not hide why an attempt failed, so it is not told of here."""
    with contextlib.suppress(ComposeOpsError, OSError):
        os.makedirs(directory or DIRECTORY, mode=0o755, exist_ok=True)
        content = json.dumps(asdict(attempts), sort_keys=True).encode()
        files.write_atomically(_path(site, directory), content, mode=0o600, uid=os.geteuid(), gid=os.getegid())


def forget(site: str, directory: str = "") -> None:
    """Remember nothing any more, after a success."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_path(site, directory))


def moment(seconds: int) -> str:
    """Return a time as it is shown."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _path(site: str, directory: str) -> str:
    return os.path.join(directory or DIRECTORY, f"{site}.json")
