#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proves backups."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_verify
short_description: Prove backups by restoring them into a place that is thrown away
version_added: 0.1.0
description:
  - Verifies the newest backup of each source, or the one that is named, level after level, and writes what was found
    into the store, beside the backup, as an object that is never changed.
  - Level 1 reads every object from the store and compares size and SHA-256 with the manifest. It needs no key.
  - Level 2 decrypts, decompresses and reads every object to its end with the programs of the backup's own image.
  - Level 3 restores into a throw-away container of the same image, without network, and compares exactly. Of
    PostgreSQL the rows of every table and the roles with their passwords' verifiers, and a session is begun as every
    role that may log in. Of Redis the keys of its first database, and how many expire. Files are unpacked into a
    directory that is removed; names, kinds, owners, modes and contents have to be as they were. Of MongoDB the
    documents of every collection, but for the dump of a replica set, whose log of writes is replayed instead.
    Only a backup that came so far is called verified.
  - A backup that is bad is recorded as failed, and the module fails. What kept a verification from being made, such as
    an image that is gone or a full disk, is recorded nowhere, and the module fails, too.
  - Containers are removed however the verification ends; what a killed one left is removed by the next of its source.
options:
  sources:
    description: Names of the sources; all sources of the host where the list is empty.
    type: list
    elements: str
    default: []
  level:
    description: How far. Without it as far as the kind of source can go.
    type: int
    choices: [1, 2, 3, 4]
  backup:
    description: Id of the backup, or V(newest). An id goes with one source alone.
    type: str
    default: newest
  host:
    description: Name of the host that made the backup, where it is not this one.
    type: str
    default: ""
  identity:
    description:
      - Text of an identity file of age. The host keeps the key of its own newest backup, and of no other.
    type: str
    default: ""
  older_than:
    description:
      - Only verify sources of which no backup was proven to O(level) for at least this long, such as V(24h), V(7d).
    type: str
    default: ""
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Returns how far the backups were proven before and after.
    support: full
requirements:
  - boto3 on the host (Debian's python3-boto3)
seealso:
  - module: composeops.stack.backup
  - module: composeops.stack.backup_info
  - module: composeops.stack.backup_restore
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Prove the newest backup of everything that was not proven this week
  composeops.stack.backup_verify:
    older_than: 7d

- name: Compare an old backup with its checksums, for which no key is needed
  composeops.stack.backup_verify:
    sources: [database]
    backup: 20260131T023000Z-1f2e3d4c
    level: 1
"""

RETURN = r"""
verified:
  description: What was found, in the order of the sources. Not in check mode.
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: Name of the source.
      type: str
      returned: success
    backup:
      description: Id of the backup.
      type: str
      returned: success
    level:
      description: The level that was reached or, where the outcome is V(failed), the one that failed.
      type: int
      returned: success
    outcome:
      description: V(passed) or V(failed).
      type: str
      returned: success
    proven:
      description: What was compared, one sentence each.
      type: list
      elements: str
      returned: success
    seconds:
      description: How long each step took.
      type: dict
      returned: success
    rto_seconds:
      description: How long it took from the first byte fetched to data that serves; null where nothing was restored.
      type: float
      returned: success
    image:
      description: What it was restored into.
      type: str
      returned: success
    error:
      description: Why the backup is bad; empty where it is not.
      type: str
      returned: success
  sample:
    - source: database
      backup: 20260131T023000Z-1f2e3d4c
      level: 3
      outcome: passed
      proven: ["1024 rows in 7 tables, each table as counted in the dump's snapshot."]
      seconds: {"fetch": 0.4, "read": 0.6, "start": 3.1, "restore": 2.2, "log in": 0.4}
      rto_seconds: 6.1
      image: postgres@sha256:0a1b
      error: ""
plan:
  description: What is done and why, or would be done in check mode, one sentence each.
  returned: always
  type: list
  elements: str
  sample: ["Verify database to level 3: backup 20260131T023000Z-1f2e3d4c; none was before."]
summary:
  description: Table of what was proven, for the end of the play.
  returned: when not in check mode
  type: list
  elements: dict
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, plan, settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Entry, Level, Settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.plan import Decision
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification import plan as verdicts
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.record import Verification
from ansible_collections.composeops.stack.plugins.module_utils.backup.verification.run import NEWEST, Verifying, Wanted
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with, failing

ARGUMENT_SPEC: dict[str, Any] = {
    "sources": {"type": "list", "elements": "str", "default": []},
    "level": {"type": "int", "choices": [1, 2, 3, 4]},
    "backup": {"type": "str", "default": NEWEST},
    "host": {"type": "str", "default": ""},
    "identity": {"type": "str", "default": "", "no_log": True},
    "older_than": {"type": "str", "default": ""},
}
COLUMNS = ["source", "backup", "level", "outcome", "restore takes", "why"]


class Drills:
    """One run over the chosen sources."""

    def __init__(self, params: dict[str, Any], configured: Settings) -> None:
        self._configured = configured
        self._chosen = configured.chosen(tuple(params["sources"]))
        if params["backup"] != NEWEST and len(params["sources"]) != 1:
            raise InvalidInput("A backup is of one source.", "Name its source alone.")
        self._older_than = plan.duration(params["older_than"]) if params["older_than"] else None
        self._wanted = Wanted(
            backup=params["backup"],
            host=params["host"],
            level=Level(params["level"]) if params["level"] else None,
            identity=params["identity"],
        )

    def decided(self) -> list[tuple[Verifying, Entry, Decision]]:
        """Return each verification that could be made, of which backup, and whether it is due."""
        found = []
        for source in self._chosen:
            verifying = Verifying(self._configured, source, CommandRunner(), self._wanted)
            entry, listed = verifying.chosen()
            decision = verdicts.decide(entry, listed, catalogue.now(), verifying.level, self._older_than)
            found.append((verifying, entry, decision))
        return found


def predict(drills: Drills) -> dict[str, Any]:
    """Return what would be done."""
    due = [(verifying, entry, decision) for verifying, entry, decision in drills.decided() if decision.due]
    after = {entry.source: f"proven to level {verifying.level.value}, or found bad" for verifying, entry, _ in due}
    result = _result([decision.sentence for _, _, decision in due], [], changed=bool(due))
    result["diff"] = _diff([entry for _, entry, _ in due], after)
    return result


def apply(drills: Drills) -> tuple[dict[str, Any], list[str]]:
    """Verify what is due; return the result, and what is bad or could not be judged."""
    found: list[Verification] = []
    problems, sentences, due = [], [], []
    for verifying, entry, decision in drills.decided():
        if not decision.due:
            continue
        due.append(entry)
        sentences.append(decision.sentence)
        try:
            one = verifying.run()
        except ComposeOpsError as error:
            problems.append(" ".join([f"The verification of {entry.source} could not be made: {error}", *error.notes]))
            continue
        found.append(one)
        if not one.passed:
            problems.append(f"Backup {one.backup} of {one.source} is bad: {one.error}")
    result = _result(sentences, found, changed=bool(found))
    result["summary"] = [{"title": "Proven", "columns": COLUMNS, "rows": [_row(one) for one in found]}]
    result["diff"] = _diff(due, {one.source: f"{one.outcome} level {one.level.value}" for one in found})
    return result, problems


def _result(sentences: list[str], found: list[Verification], *, changed: bool) -> dict[str, Any]:
    returned = ("source", "backup", "outcome", "proven", "seconds", "rto_seconds", "image", "error")
    verified = [{name: asdict(one)[name] for name in returned} | {"level": one.level.value} for one in found]
    return {"changed": changed, "verified": verified, "plan": sentences, "diff": []}


def _row(one: Verification) -> list[str]:
    takes = "" if one.rto_seconds is None else f"{one.rto_seconds:.1f} s"
    level = f"{one.level.value}, {verdicts.WORDS[one.level]}"
    return [one.source, one.backup, level, one.outcome, takes, one.error]


def _diff(entries: list[Entry], after: dict[str, str]) -> list[dict[str, str]]:
    before = {entry.source: verdicts.WORDS[entry.level] for entry in entries}
    header = "how far backups are proven"
    return [
        {
            "before_header": header,
            "after_header": header,
            "before": "".join(f"{source}: {said}\n" for source, said in before.items()),
            "after": "".join(f"{source}: {after.get(source, said)}\n" for source, said in before.items()),
        }
    ]


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    drills = Drills(params, settings.require())
    return predict(drills) if check else failing(*apply(drills))


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
