#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Takes backups of a host's sources."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Take backups of databases in containers to an S3 store
version_added: 0.1.0
description:
  - Takes a backup of each source now, or of those whose newest backup is missing or too old.
  - A backup is committed by its manifest, which is written after everything else. A dump that fails, or is killed,
    leaves no object and no unfinished upload.
  - Where a timer takes a backup of a source at the moment, it is waited for; it is enough where a backup was missing or
    too old, and otherwise another one follows it.
  - What comes out of a source is compressed (zstd) and encrypted (age) before it leaves the host, unless the role was
    told not to encrypt.
  - Reads the sources, the store and its credentials from C(/etc/composeops/backup.json) on the host, which the role
    C(backup) writes; no credential is an argument of this module.
options:
  sources:
    description: Names of the sources to back up; all sources of the host where the list is empty.
    type: list
    elements: str
    default: []
  initial:
    description: Only back up sources that have no committed backup yet.
    type: bool
    default: false
  only_if_older_than:
    description: Only back up sources whose newest committed backup is at least this old, such as V(30m), V(24h), V(7d).
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns the newest backup of each source before and after.
    support: full
requirements:
  - boto3, age and zstd on the host (Debian's python3-boto3, age and zstd)
seealso:
  - module: composeops.stack.backup_info
  - module: composeops.stack.backup_restore
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Take a first backup of everything that has none
  composeops.stack.backup:
    initial: true

- name: Take a backup of the database before an upgrade, unless there is one of the last hour
  composeops.stack.backup:
    sources: [database]
    only_if_older_than: 1h
"""

RETURN = r"""
backups:
  description: The backups that were committed by this run.
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: Name of the source.
      type: str
      returned: success
    id:
      description: Id of the backup.
      type: str
      returned: success
    bytes:
      description: Size of its objects.
      type: int
      returned: success
    seconds:
      description: How long it took.
      type: float
      returned: success
  sample: [{"source": "database", "id": "20260131T023000Z-1f2e3d4c", "bytes": 48211, "seconds": 1.2}]
plan:
  description: What is done and why, or would be done in check mode, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["Back up database: there is no committed backup yet."]
summary:
  description: Table of the sources with their newest backups, for the end of the play.
  returned: when the store could be asked
  type: list
  elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.backup import (
    catalogue,
    plan,
    records,
    run,
    settings,
    status,
)
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Settings, Source
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.files import LockHeld, exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.io.s3 import Bucket, MissingLibrary
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with, failing

ARGUMENT_SPEC: dict[str, Any] = {
    "sources": {"type": "list", "elements": "str", "default": []},
    "initial": {"type": "bool", "default": False},
    "only_if_older_than": {"type": "str", "default": ""},
}


class Backups:
    """One run over the chosen sources."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._names = tuple(params["sources"])
        self._initial = bool(params["initial"])
        older_than = params["only_if_older_than"]
        if self._initial and older_than:
            raise InvalidInput("initial and only_if_older_than say two things.", "Give one of them.")
        self._older_than = plan.duration(older_than) if older_than else None

    def predict(self) -> dict[str, Any]:
        """Return what ``apply`` would do; on a host that is not set up yet, by what is known without it."""
        configured = settings.read()
        known = {source.name for source in configured.sources} if configured else set()
        pending = [name for name in self._names if name not in known]
        sentences = [f"Back up {name}: it is not set up on this host yet." for name in pending]
        if configured is None:
            return _result(sentences or ["Back up every source: none is set up on this host yet."], [], changed=True)
        chosen = configured.chosen(tuple(name for name in self._names if name in known))
        chosen = () if self._names and len(pending) == len(self._names) else chosen
        try:
            bucket = catalogue.open_bucket(configured.store)
        except MissingLibrary:
            unknown = [f"Back up {source.name}: the store cannot be asked before boto3 is there." for source in chosen]
            return _result([*sentences, *unknown], [], changed=True)
        before, decisions = self._decide(configured, bucket, chosen)
        due = [one.source.name for one, decision in zip(before, decisions, strict=True) if decision.due]
        result = _result(
            [*sentences, *(decision.sentence for decision in decisions if decision.due)],
            before,
            changed=bool(pending or due),
        )
        after = dict.fromkeys([*due, *pending], "a new backup")
        result["diff"] = _diff(configured, before, {**_newest(before), **after})
        return result

    def apply(self) -> tuple[dict[str, Any], list[str]]:
        """Take the backups that are due; return the result and what failed."""
        configured = settings.require()
        bucket = catalogue.open_bucket(configured.store)
        before, decisions = self._decide(configured, bucket, configured.chosen(self._names))
        sentences, taken, problems = [], [], []
        for one, decision in zip(before, decisions, strict=True):
            if not decision.due:
                continue
            sentences.append(decision.sentence)
            try:
                backup, waited = self._take(configured, bucket, one.source)
            except ComposeOpsError as error:
                problems.append(f"Backup of {one.source.name} failed: {error}")
                continue
            sentences += waited
            if backup is None:
                continue
            sentences += backup.notes
            taken.append(
                {
                    "source": one.source.name,
                    "id": backup.manifest.id,
                    "bytes": backup.manifest.bytes,
                    "seconds": round(backup.seconds, 1),
                }
            )
        after = before
        if sentences:
            after = [catalogue.status(bucket, one.source, configured.host) for one in before]
        result = _result(sentences, after, changed=bool(taken))
        result["backups"] = taken
        result["diff"] = _diff(configured, before, _newest(after))
        return result, problems

    def _take(self, configured: Settings, bucket: Bucket, source: Source) -> tuple[run.Taken | None, list[str]]:
        """Take a backup. One that a timer takes right now, or what sends a log asked for, is waited for, and may do."""
        try:
            return run.take(configured, source, CommandRunner()), []
        except LockHeld:
            with exclusive(records.lock_path(source.name), f"backup of {source.name}", wait=source.timeout):
                pass
        _statuses, (decision,) = self._decide(configured, bucket, (source,))
        waited = [f"Waited for another run of {source.name}.", decision.sentence]
        return (run.take(configured, source, CommandRunner()) if decision.due else None), waited

    def _decide(
        self, configured: Settings, bucket: Bucket, chosen: tuple[Source, ...]
    ) -> tuple[list[status.Status], list[plan.Decision]]:
        statuses = [catalogue.status(bucket, source, configured.host) for source in chosen]
        decisions = [
            plan.decide(one.source.name, one.entries, one.now, initial=self._initial, older_than=self._older_than)
            for one in statuses
        ]
        return statuses, decisions


def _result(sentences: list[str], statuses: list[status.Status], *, changed: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"changed": changed, "backups": [], "plan": sentences, "diff": []}
    if statuses:
        result["summary"] = status.summary(statuses)
    return result


def _newest(statuses: list[status.Status]) -> dict[str, str]:
    return {one.source.name: one.newest.id if one.newest else "none" for one in statuses}


def _diff(configured: Settings, before: list[status.Status], after: dict[str, str]) -> list[dict[str, str]]:
    header = f"newest backups in {configured.store.bucket}"
    return [
        {
            "before_header": header,
            "after_header": header,
            "before": "".join(f"{name}: {newest}\n" for name, newest in _newest(before).items()),
            "after": "".join(f"{name}: {newest}\n" for name, newest in after.items()),
        }
    ]


def carry_out(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    backups = Backups(params)
    return backups.predict() if check else failing(*backups.apply())


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: carry_out(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
