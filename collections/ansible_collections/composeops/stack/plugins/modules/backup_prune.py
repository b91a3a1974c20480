#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removes the backups that a retention policy does not keep."""

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_prune
short_description: Remove the backups that a retention policy does not keep
version_added: 0.1.0
description:
  - Decides on every backup in a bucket, of all hosts and sources or of those that are named, and says why each is kept
    or removed. Runs where the credentials are that may delete, which is not a host that is backed up.
  - A policy counts slots. O(policy.daily=30) keeps one backup of each of the 30 newest days that have one. Days without
    a backup take no slot, so that nothing ages while none are taken. Of a slot, the backup that is proven best is kept,
    and of those the newest.
  - Whatever the policy says, these are kept. The newest backup; the newest that no verification found damaged; the
    newest that was read to its end (L2) and the newest that was restored (L3); what is pinned; what is younger than
    O(policy.minimum_age); what may still be under way; what is dated in the future; what is damaged, until a younger
    one was restored; and of sources with a log of writes all that O(policy.point_in_time) begins from.
  - Uploads and objects that killed runs left are removed when they are a day old.
  - The manifest of a backup is removed first, so that a run that is killed leaves nothing that looks like a backup.
  - Sources and hosts are never compared with each other.
options:
  store:
    description: The bucket, and credentials that list, read and delete in it.
    type: dict
    required: true
    suboptions:
      endpoint:
        description: URL of the S3 server. Empty for Amazon's own.
        type: str
        default: ""
      region:
        description: Region of the bucket.
        type: str
        default: us-east-1
      bucket:
        description: Name of the bucket.
        type: str
        required: true
      access_key:
        description: Id of the access key.
        type: str
        required: true
      secret_key:
        description: The secret access key.
        type: str
        required: true
      ca:
        description: PEM text of the CA that signed the server's certificate, in place of the system's.
        type: str
        default: ""
      path_style:
        description: Whether the bucket is in the path of a URL rather than in its host name.
        type: bool
        default: true
  policy:
    description: How many slots of each kind are kept. At least one kind has to have some.
    type: dict
    required: true
    suboptions:
      hourly:
        description: Hours with a backup.
        type: int
        default: 0
      daily:
        description: Days with a backup.
        type: int
        default: 0
      weekly:
        description: Weeks with a backup, from Monday on.
        type: int
        default: 0
      monthly:
        description: Months with a backup.
        type: int
        default: 0
      yearly:
        description: Years with a backup.
        type: int
        default: 0
      minimum_age:
        description: A younger backup is kept, such as V(24h) or V(7d).
        type: str
        default: 24h
      point_in_time:
        description: How far back the log of writes reaches, of sources that have one.
        type: str
        default: 7d
      sources:
        description: Sources with a policy of their own, which replaces the general one whole.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the source.
            type: str
            required: true
          hourly:
            description: Hours with a backup.
            type: int
            default: 0
          daily:
            description: Days with a backup.
            type: int
            default: 0
          weekly:
            description: Weeks with a backup, from Monday on.
            type: int
            default: 0
          monthly:
            description: Months with a backup.
            type: int
            default: 0
          yearly:
            description: Years with a backup.
            type: int
            default: 0
          minimum_age:
            description: A younger backup is kept.
            type: str
            default: 24h
          point_in_time:
            description: How far back its log of writes reaches, where it has one.
            type: str
            default: 7d
  sources:
    description: Names of the sources to look at; all that the bucket has where the list is empty.
    type: list
    elements: str
    default: []
  hosts:
    description: Names of the hosts in the bucket to look at; all that it has where the list is empty.
    type: list
    elements: str
    default: []
  unpin:
    description: Ids of backups whose pins are taken back before anything is decided.
    type: list
    elements: str
    default: []
  force_above:
    description:
      - Percent of the backups of a source that may go in one run. Where more would go, nothing at all is removed and
        the module fails. V(100) allows everything.
    type: int
    default: 50
attributes:
  check_mode:
    description: Removes nothing. RV(removed) and RV(kept) are what apply would make of it, with all reasons.
    support: full
  diff_mode:
    description: Shows the backups of each source before and after, each with its reason.
    support: full
requirements:
  - boto3 where it runs, on the controller or in the execution environment
seealso:
  - module: composeops.stack.backup_info
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Keep 30 days and a year of months
  composeops.stack.backup_prune:
    store: "{{ backup_prune_store }}"
    policy: {daily: 30, monthly: 12}
  delegate_to: localhost
  become: false
  run_once: true

- name: Take a pin back, and let the policy decide on what it kept
  composeops.stack.backup_prune:
    store: "{{ backup_prune_store }}"
    policy: "{{ backup_retention }}"
    unpin: [20260131T023000Z-1f2e3d4c]
  delegate_to: localhost
  become: false
  run_once: true
"""

RETURN = r"""
removed:
  description: What was removed, or would be in check mode, with C(source), C(host), C(id), C(bytes), C(committed),
    C(level) and C(reasons).
  returned: always
  type: list
  elements: dict
  sample:
    - source: database
      host: petcare1
      id: 20260131T023000Z-1f2e3d4c
      bytes: 48211
      committed: true
      level: 3
      reasons: [in no slot]
kept:
  description: What is kept, each like RV(removed), with every reason that keeps it.
  returned: success
  type: list
  elements: dict
segments_removed:
  description: How many segments of logs of writes were removed, or would be.
  returned: always
  type: int
  sample: 0
plan:
  description: What was done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["Remove 20260131T023000Z-1f2e3d4c of database of petcare1: in no slot."]
summary:
  description: Tables for the end of the play, in check mode with every backup and its reason.
  returned: success
  type: list
  elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.backup import catalogue
from ansible_collections.composeops.stack.plugins.module_utils.backup.model import Store
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention import policy, shown
from ansible_collections.composeops.stack.plugins.module_utils.backup.retention.prune import (
    Decided,
    Done,
    Wanted,
    carry_out,
    decide,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ALL = 100
POLICY: dict[str, Any] = {
    **{kind: {"type": "int", "default": 0} for kind in policy.PERIODS},
    "minimum_age": {"type": "str", "default": "24h"},
    "point_in_time": {"type": "str", "default": "7d"},
}
SPECIAL: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {"name": {"type": "str", "required": True}, **POLICY},
}
ARGUMENT_SPEC: dict[str, Any] = {
    "store": {
        "type": "dict",
        "required": True,
        "options": {
            "endpoint": {"type": "str", "default": ""},
            "region": {"type": "str", "default": "us-east-1"},
            "bucket": {"type": "str", "required": True},
            "access_key": {"type": "str", "required": True},
            "secret_key": {"type": "str", "required": True, "no_log": True},
            "ca": {"type": "str", "default": ""},
            "path_style": {"type": "bool", "default": True},
        },
    },
    "policy": {"type": "dict", "required": True, "options": {**POLICY, "sources": SPECIAL}},
    "sources": {"type": "list", "elements": "str", "default": []},
    "hosts": {"type": "list", "elements": "str", "default": []},
    "unpin": {"type": "list", "elements": "str", "default": []},
    "force_above": {"type": "int", "default": 50},
}


def wanted(params: dict[str, Any]) -> Wanted:
    """Return what was asked for; raise where it cannot be meant."""
    if not 0 <= params["force_above"] <= ALL:
        raise InvalidInput(f"force_above is {params['force_above']}, no percentage.", "Give 0 to 100.")
    for name in ("access_key", "secret_key", "bucket"):
        if not params["store"][name]:
            raise InvalidInput(
                f"backup_prune_store.{name} is empty.", "Give it in the inventory's vault.yml, or in the environment."
            )
    return Wanted(
        policy.parse_all(params["policy"]),
        tuple(params["sources"]),
        tuple(params["hosts"]),
        tuple(params["unpin"]),
        params["force_above"],
    )


def predicted(decided: Decided, *, check: bool) -> dict[str, Any]:
    """Return what follows from the decision alone."""
    tables = [shown.overview(decided.plan)]
    return {
        "changed": decided.changes,
        "plan": shown.sentences(decided),
        "diff": shown.difference(decided),
        "kept": shown.data(decided.plan.kept),
        "removed": shown.data(decided.plan.removed),
        "segments_removed": len(decided.plan.segments),
        "summary": [*shown.listing(decided.plan, catalogue.now()), *tables] if check else tables,
    }


def happened(done: Done) -> dict[str, Any]:
    """Return what was done, for a run that may not have come to its end."""
    return {
        "changed": done.changed,
        "removed": shown.data(done.removed),
        "segments_removed": len(done.segments),
    }


def run(params: dict[str, Any], done: Done, *, check: bool) -> dict[str, Any]:
    asked = wanted(params)
    bucket = catalogue.open_bucket(Store(**params["store"]))
    decided = decide(bucket, asked, catalogue.now())
    result = predicted(decided, check=check)
    if not check:
        carry_out(bucket, decided, done)
        result.update(happened(done))
    return {**result, "warnings": [*decided.notes, *done.notes]}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    done = Done()
    exit_with(
        module,
        lambda: run(module.params, done, check=module.check_mode),
        after_failure=lambda _error: happened(done),
    )


if __name__ == "__main__":
    main()
