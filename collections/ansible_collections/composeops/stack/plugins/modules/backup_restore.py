#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Restores a backup into a new place first, then swaps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_restore
short_description: Restore a backup in the place of the data that serves
version_added: 0.1.0
description:
  - Fetches a backup whole, compares size and SHA-256 with its manifest, restores it into a new place, compares what is
    there with what was counted when it was made, and only then swaps it in. What was there before is kept and named.
  - A PostgreSQL database is restored into a new database, and swapped by renaming in one transaction.
    Sessions of the old one are ended; their clients connect again to the new one.
    Roles that are missing are made; roles that exist keep their passwords.
  - Of a source with C(databases=all), each database of the backup is restored like this, one after the other. Databases
    of the server that the backup does not hold stay. Where one fails, those before it are restored.
  - A Redis is loaded by a throw-away server of the same image, which also writes the append-only files. The service is
    stopped while files are swapped, a second or two, and always started again.
  - A MongoDB database is restored into collections of new names, which are then renamed, one after the other.
    A dump of a replica set is replayed into the collections where they are, because its log knows no other names.
    Views are left as they are.
  - A C(postgres_cluster) is recovered, with all its databases and roles, beside the files that serve, by a throw-away
    server of the same image without a network. Every table is read. Then the service is stopped, its files are
    exchanged, and it is started. Its user gets the password that the stack has now.
  - Files are unpacked beside those that are there, compared, and renamed into place. What has read the old ones is to
    be restarted.
  - Where a step fails, the data that was there still serves. A run that was killed is undone or finished by the next
    backup or restore of the source; of files by the next restore alone, and until then a backup of them is refused.
  - Works on a stack that was deployed again, empty, after its containers and volumes were destroyed.
  - Every run restores, so every run is a change.
  - Nothing else changes the stack meanwhile, and a stack that is held (M(composeops.stack.stack_lock)) is left alone.
options:
  source:
    description: Name of the source.
    type: str
    required: true
  backup:
    description: Id of the backup, or V(newest).
    type: str
    default: newest
  database:
    description:
      - The database that is restored out of a backup of every database of a PostgreSQL (C(databases=all)). Without it
        all of them are restored, one after the other. Refused for other sources.
    type: str
    default: ""
  target_time:
    description:
      - The moment to which a C(postgres_cluster) is brought back, in ISO 8601 with its zone, such as
        V(2026-01-31T03:59:00Z). What was committed until then is there, and nothing that came later.
      - V(newest) is the end of the write-ahead log in the store. The base backup to begin with is chosen by the time,
        unless O(backup) names one.
      - Refused for other types, before the first base backup has ended, and after what the store is known to have.
    type: str
    default: newest
  host:
    description: Name of the host that made the backup, where it is not this one.
    type: str
    default: ""
  identity:
    description:
      - Text of an identity file of age that opens the backup. Not needed for the newest backup that this host took
        itself, whose own key it keeps, nor for one that is not encrypted.
      - The host has it in memory alone, for as long as the restore fetches.
    type: str
    default: ""
  unverified:
    description:
      - Whether to restore a backup that is not verified. Without it, one that no drill has restored yet is refused
        where it would replace data, and one whose last verification failed is refused anywhere.
      - A refusal names the newest backup that is verified. M(composeops.stack.backup_verify) proves another.
    type: bool
    default: false
  expendable:
    description:
      - Whether what is there was made for this restore, so that a backup which no drill has restored yet may replace
        it. C(playbooks/recover.yml) says so of a host that had no data when it began.
    type: bool
    default: false
  lock_wait:
    description: Seconds that another run on the stack, such as a deployment, may take to end. V(0) does not wait.
    type: float
    default: 0
  operator:
    description: Who does this, for the lock and the audit log of the host. Empty is the user of the connection.
    type: str
    default: ""
attributes:
  check_mode:
    description: Checks everything that can be checked without fetching the backup, and returns the steps as RV(plan).
    support: full
  diff_mode:
    description: Returns what serves before and after.
    support: full
requirements:
  - boto3, age and zstd on the host (Debian's python3-boto3, age and zstd)
seealso:
  - module: composeops.stack.backup
  - module: composeops.stack.backup_info
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Restore the newest backup of the database
  composeops.stack.backup_restore:
    source: database

- name: Bring a whole server back to the moment before an accident
  composeops.stack.backup_restore:
    source: cluster
    target_time: "2026-01-31T03:59:00Z"

- name: Restore what another host backed up
  composeops.stack.backup_restore:
    source: redis
    backup: 20260131T023000Z-1f2e3d4c
    host: petcare1
    identity: "{{ backup_identity }}"
"""

RETURN = r"""
backup:
  description: Id of the backup.
  returned: success
  type: str
  sample: 20260131T023000Z-1f2e3d4c
verified:
  description: Whether a drill had restored and compared that backup before.
  returned: success
  type: bool
  sample: true
kept:
  description: Where the data is that served before; empty where there was none.
  returned: when not in check mode
  type: str
  sample: database pet_system_before_20260131T040000Z
removal:
  description: How to remove it once it is of no use any more.
  returned: when not in check mode
  type: str
  sample: DROP DATABASE IF EXISTS "pet_system_before_20260131T040000Z" WITH (FORCE);
seconds:
  description: How long fetching and applying took.
  returned: when not in check mode
  type: dict
  sample: {"fetch": 0.4, "apply": 3.1}
notes:
  description: What was counted, and what else was done.
  returned: when not in check mode
  type: list
  elements: str
  sample: ["1024 rows in 7 tables, as in the backup."]
plan:
  description: The steps that were done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
summary:
  description: Table of the restore, for the end of the play.
  returned: when not in check mode
  type: list
  elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.backup import settings
from ansible_collections.composeops.stack.plugins.module_utils.backup.restore import NEWEST, By, Plan, Restore, Restored
from ansible_collections.composeops.stack.plugins.module_utils.backup.trust import Told
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {
    "source": {"type": "str", "required": True},
    "backup": {"type": "str", "default": NEWEST},
    "database": {"type": "str", "default": ""},
    "target_time": {"type": "str", "default": NEWEST},
    "host": {"type": "str", "default": ""},
    "identity": {"type": "str", "default": "", "no_log": True},
    "unverified": {"type": "bool", "default": False},
    "expendable": {"type": "bool", "default": False},
    "lock_wait": {"type": "float", "default": 0},
    "operator": {"type": "str", "default": ""},
}


def run(params: dict[str, Any], *, check: bool) -> dict[str, Any]:
    configured = settings.require()
    source = configured.source(params["source"])
    by = By(params["operator"], "ansible", params["lock_wait"])
    restore = Restore(
        configured,
        source,
        CommandRunner(),
        wanted=params["backup"],
        host=params["host"],
        by=by,
        key=params["identity"],
        told=Told(unverified=params["unverified"], expendable=params["expendable"]),
        target_time=params["target_time"],
        database=params["database"],
    )
    if check:
        return _planned(source.name, restore.plan())
    restored = restore.apply()
    return {**_planned(source.name, restored.plan), **_done(source.name, restored)}


def _planned(name: str, plan: Plan) -> dict[str, Any]:
    return {
        "changed": True,
        "backup": plan.manifest.id,
        "verified": plan.verified,
        "plan": list(plan.steps),
        "diff": [
            {
                "before_header": name,
                "after_header": name,
                "before": "the data that serves now\n",
                "after": f"backup {plan.manifest.id} of {plan.manifest.host}\n",
            }
        ],
    }


def _done(name: str, restored: Restored) -> dict[str, Any]:
    outcome = restored.outcome
    total = f"{sum(restored.seconds.values()):.1f} s"
    row = [name, restored.plan.manifest.id, total, outcome.kept or "nothing", outcome.removal]
    return {
        "kept": outcome.kept,
        "removal": outcome.removal,
        "seconds": restored.seconds,
        "notes": list(restored.notes),
        "summary": [
            {
                "title": "Restored",
                "columns": ["source", "backup", "took", "kept from before", "to remove that"],
                "rows": [row],
            }
        ],
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
