#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lists the backups of a host's sources."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: List the backups of a host's sources
version_added: 0.1.0
description:
  - Asks the store for the backups of each source, and the host for the last run of each.
  - Only a committed backup counts, one whose manifest is in the store. A backup that is dated in the future is listed
    but never the newest.
  - Reads the sources, the store and its credentials from C(/etc/composeops/backup.json) on the host.
options:
  sources:
    description: Names of the sources to look at; all sources of the host where the list is empty.
    type: list
    elements: str
    default: []
  host:
    description: Name of the host that made the backups, where it is not this one.
    type: str
    default: ""
  limit:
    description: How many backups of each source to return, newest first.
    type: int
    default: 10
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
  diff_mode:
    description: Nothing is changed, so there is no difference to show.
    support: none
requirements:
  - boto3 on the host (Debian's python3-boto3)
seealso:
  - module: composeops.stack.backup
  - module: composeops.stack.backup_restore
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: List the backups
  composeops.stack.backup_info:

- name: Find the newest backup of the database, which has its age in sources[0].newest.age_seconds
  composeops.stack.backup_info:
    sources: [database]
    limit: 1
"""

RETURN = r"""
sources:
  description: What is known of the backups of each source.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the source.
      type: str
      returned: success
    type:
      description: Kind of the source.
      type: str
      returned: success
    schedule:
      description: How often it is backed up.
      type: str
      returned: success
    newest:
      description: The newest committed backup that can be believed, with C(id), C(created), C(age_seconds), C(bytes),
        and C(consistent), which is false where it is not one moment of what it holds.
      type: dict
      returned: success
    verified:
      description: When one of its backups was last restored and compared (level 3 or 4); null where none was.
      type: str
      returned: success
    log:
      description: How far the write-ahead log in the store is behind a C(postgres_cluster) of this host, with
        C(seconds), null where nobody knows, C(bytes), and C(problem), why no restore could go up to now. Null for
        other sources.
      type: dict
      returned: success
    count:
      description: Number of committed backups.
      type: int
      returned: success
    bytes:
      description: Size of all of them.
      type: int
      returned: success
    backups:
      description: The newest backups, as many as O(limit), each like RV(sources[].newest).
      type: list
      elements: dict
      returned: success
    incomplete:
      description: Ids of runs that left objects but no manifest; they are no backups.
      type: list
      elements: str
      returned: success
    from_the_future:
      description: Ids of backups that are dated ahead of the host's clock.
      type: list
      elements: str
      returned: success
    last_run:
      description:
        - The last run on this host, with C(id), C(outcome), C(started), C(finished), C(error). Its outcome is
          V(running), V(committed), V(failed) or V(interrupted).
      type: dict
      returned: success
  sample:
    - name: database
      type: postgres
      schedule: daily
      newest: {"id": "20260131T023000Z-1f2e3d4c", "created": "2026-01-31T02:30:00+00:00", "age_seconds": 9, "bytes": 48}
      count: 1
      bytes: 48211
      backups: []
      incomplete: []
      from_the_future: []
      last_run: {"id": "20260131T023000Z-1f2e3d4c", "outcome": "committed"}
plan:
  description: Always empty, because nothing is changed.
  returned: success
  type: list
  elements: str
summary:
  description: Table of the sources with their newest backups, for the end of the play.
  returned: success
  type: list
  elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue, settings, status
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr import measure
from ansible_collections.composeops.stack.plugins.module_utils.backup.pitr.lag import Lag
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {
    "sources": {"type": "list", "elements": "str", "default": []},
    "host": {"type": "str", "default": ""},
    "limit": {"type": "int", "default": 10},
}


def run(params: dict[str, Any]) -> dict[str, Any]:
    configured = settings.require()
    bucket = catalogue.open_bucket(configured.store)
    host = params["host"] or configured.host
    chosen = configured.chosen(tuple(params["sources"]))
    statuses = [catalogue.status(bucket, source, host) for source in chosen]
    lags = measure.looked_at(configured, chosen if host == configured.host else (), CommandRunner())
    return {
        "changed": False,
        "plan": [],
        "sources": [{**status.data(one, params["limit"]), "log": _log(lags.get(one.source.name))} for one in statuses],
        "summary": [*status.summary(statuses), *measure.table(lags)],
    }


def _log(lag: Lag | None) -> dict[str, Any] | None:
    return None if lag is None else {"seconds": lag.seconds, "bytes": lag.bytes, "problem": lag.problem}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params))


if __name__ == "__main__":
    main()
