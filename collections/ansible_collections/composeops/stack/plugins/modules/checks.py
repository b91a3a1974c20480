#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carries out declared checks."""

from __future__ import annotations

DOCUMENTATION = r"""
module: checks
short_description: Check that a running system is what it should be
version_added: 0.1.0
description:
  - Carries out declared checks at the same time and fails when one of them fails, naming each with its reason and the
    next step.
  - A check says what is asked and what must be answered. It is carried out where the module runs, usually on the host
    itself, and from the controller with C(delegate_to).
  - Nothing that is checked is changed. Passwords are read on the host, from the stack's secrets, and handed to clients
    over standard input.
options:
  checks:
    description: The checks. Every option below belongs to the types it names.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the check, once in the list.
        type: str
        required: true
      type:
        description:
          - V(http) sends a request and judges the answer; redirects are answers and are not followed.
          - V(websocket) opens a WebSocket, sends O(checks[].message) and waits for it to come back.
          - V(tcp) connects to a port that must be open or, with O(checks[].expect.state=closed), closed.
          - V(certificate) judges the certificate that is served for O(checks[].host); it must be trusted.
          - V(postgres) runs a query in a stack's PostgreSQL.
          - V(redis) sends a PING to a stack's Redis.
          - V(mongo) pings a stack's MongoDB and, with O(checks[].user), logs in.
          - V(log) looks for lines that containers have written of late, and accepts O(checks[].most) of them.
          - V(container) looks at the containers of one service or of a whole stack.
          - V(backup_age) looks for the newest committed backup of a source in the store.
          - V(verified_age) looks when a backup of a source was last restored and compared, and whether the newest was
            found damaged since. A host that was set up less than O(checks[].max_age) ago need not have one yet.
          - V(wal_lag) asks a C(postgres_cluster) and the store how far the write-ahead log in the store is behind.
            A gap in it fails, however young the newest part is.
          - V(exposure) connects to ports and accepts that only the allowed ones answer.
          - V(units) asks systemd for units that failed, such as the one that installs security updates.
          - V(reboot) looks how long an update has waited for a reboot.
        type: str
        required: true
        choices:
          - http
          - websocket
          - tcp
          - certificate
          - postgres
          - redis
          - mongo
          - log
          - container
          - backup_age
          - verified_age
          - wal_lag
          - exposure
          - units
          - reboot
      timeout:
        description: Seconds one attempt may take. 10 unless said otherwise.
        type: float
      attempts:
        description: Times to try before the check counts as failed. 3 unless said otherwise.
        type: int
      interval:
        description: Seconds between two attempts. 1 unless said otherwise.
        type: float
      url:
        description: What C(http) and C(websocket) ask for, such as V(https://app.example.com/health).
        type: str
      connect_to:
        description:
          - Address, or address and port, to connect to instead of the name's own, for C(http), C(websocket) and
            C(certificate). V(127.0.0.1) asks the host's own edge, whatever the name resolves to.
        type: str
      method:
        description: Method of C(http). V(GET) unless said otherwise.
        type: str
        choices: [GET, HEAD, POST, PUT, DELETE, OPTIONS]
      headers:
        description: Headers that C(http) and C(websocket) send.
        type: dict
      expect:
        description: What must be seen, for C(http) and C(tcp).
        type: dict
        suboptions:
          status:
            description: Statuses that C(http) accepts. V(200) alone unless said otherwise.
            type: list
            elements: int
          body:
            description: Text that the body contains.
            type: str
          headers:
            description: Headers of the answer and their exact values.
            type: dict
          json:
            description: Members of a JSON body and their values; nested ones with dots, such as V(database.status).
            type: dict
          max_seconds:
            description: Longest time the answer may take.
            type: float
          state:
            description: Whether the port of C(tcp) must be open or closed. V(open) unless said otherwise.
            type: str
            choices: [open, closed]
      message:
        description: Text that C(websocket) sends. V(composeops) unless said otherwise.
        type: str
      host:
        description: Name or address that C(tcp), C(certificate) and C(exposure) connect to.
        type: str
      port:
        description: Port of C(tcp), and of C(certificate) where it is not 443.
        type: int
      names:
        description: Names that the certificate must have beside O(checks[].host).
        type: list
        elements: str
      min_days:
        description: Days the certificate must still last; unless said, 14, or a sixth of its life where that is less.
        type: float
      stack:
        description: The stack of C(postgres), C(redis), C(mongo), C(log) and C(container).
        type: str
      service:
        description: The service of C(postgres), C(redis), C(mongo), and of C(log) and C(container) where not of all.
        type: str
      user:
        description: The database user of C(postgres), and of C(mongo), where it is one of the database C(admin).
        type: str
      database:
        description: The database of C(postgres).
        type: str
      password_secret:
        description:
          - Name of the stack's secret that C(postgres), C(redis) and C(mongo) log in with. PostgreSQL is then asked
            over the container's network, as applications ask it; without it, over its local socket.
        type: str
      query:
        description: The query of C(postgres). V(SELECT 1) unless said otherwise.
        type: str
      pattern:
        description: Regular expression that C(log) searches for in each line; the
          words C(ERROR) and C(CRITICAL) unless said otherwise.
        type: str
      window:
        description: How far back C(log) looks, such as V(5m), which is the default.
        type: str
      most:
        description: So many lines C(log) accepts. 0 unless said otherwise.
        type: int
      source:
        description: The backup source of C(backup_age), C(verified_age) and C(wal_lag).
        type: str
      max_age:
        description:
          - Largest age of the newest backup, for C(backup_age) V(26h) unless said otherwise, and of the newest proof of
            one, for C(verified_age) V(8d).
          - For C(wal_lag) the largest age of a write that is not in the store yet, V(60s) unless said otherwise.
          - For C(reboot) how long an update may wait for one, V(7d) unless said otherwise.
        type: str
      ports:
        description: Ports that C(exposure) tries, beside the allowed ones.
        type: list
        elements: int
      allowed:
        description: Ports that may answer to C(exposure). One of them must, or nothing is known.
        type: list
        elements: int
      units:
        description: Units that C(units) asks for; all of them unless said otherwise.
        type: list
        elements: str
  ca:
    description: Certificates of authorities that are trusted beside the system's, as PEM text.
    type: str
    default: ""
  save_as:
    description:
      - File on the host that the checks are kept in, readable by root alone. C(composeops check) carries out those of
        V(/etc/composeops/checks.json) without Ansible.
    type: path
  title:
    description: Title of the table of results.
    type: str
    default: Checks
  next_steps:
    description: What to try next, shown as a table when every check passed.
    type: list
    elements: dict
    default: []
    suboptions:
      purpose:
        description: What it is good for.
        type: str
        required: true
      command:
        description: What to type, or to open.
        type: str
        required: true
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
    details: Nothing is probed in check mode, because what the checks are about may not be there yet.
  diff_mode:
    description: Will return details on what has changed.
    support: full
    details: Shows what changes in the file of O(save_as).
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Check the shop
  composeops.stack.checks:
    checks:
      - {name: front page, type: http, url: "https://shop.example.com/", connect_to: 127.0.0.1}
      - name: version
        type: http
        url: https://shop.example.com/api/health
        connect_to: 127.0.0.1
        expect:
          json: {version: 1.1.0}
      - name: database
        type: postgres
        stack: shop
        service: db
        user: shop
        database: shop
        password_secret: DB_PASSWORD
      - {name: services, type: container, stack: shop}
      - {name: certificate, type: certificate, host: shop.example.com, connect_to: 127.0.0.1, min_days: 21}
      - {name: backup, type: backup_age, source: database, max_age: 26h}

- name: Check from the controller that the database is out of reach
  composeops.stack.checks:
    checks:
      - {name: database port, type: tcp, host: shop.example.com, port: 5432, expect: {state: closed}}
  delegate_to: localhost
  become: false
"""

RETURN = r"""
checks:
  description:
    - What each check saw, in the order of the declaration; on failure, only those that failed, and in check mode none.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the check.
      type: str
      returned: always
    type:
      description: Its type.
      type: str
      returned: always
    target:
      description: What was asked.
      type: str
      returned: always
    ok:
      description: Whether it passed.
      type: bool
      returned: always
    observed:
      description: What was seen, in a few words.
      type: str
      returned: always
    reason:
      description: Why it failed; empty when it passed.
      type: str
      returned: always
    remedy:
      description: What to do next; empty when it passed.
      type: str
      returned: always
    seconds:
      description: Time it took, all attempts together.
      type: float
      returned: always
    attempts:
      description: Attempts it took.
      type: int
      returned: always
  sample:
    - name: app
      type: http
      target: https://app.example.com/
      ok: true
      observed: 200 in 12 ms
      reason: ""
      remedy: ""
      seconds: 0.013
      attempts: 1
listening:
  description:
    - TCP ports of the host that are not on the loopback only, those that the engine publishes included. Give them to an
      C(exposure) check on another machine to learn which can be reached.
  returned: always
  type: list
  elements: int
  sample: [22, 80, 443]
plan:
  description: What is written, and in check mode what would be checked.
  returned: success
  type: list
  elements: str
  sample: ["check app (http https://app.example.com/)"]
summary:
  description: Tables for the end of the play (P(composeops.stack.summary#callback)).
  returned: always
  type: list
  elements: dict
  sample: []
"""

import os
import stat
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.checks import report
from ansible_collections.composeops.stack.plugins.module_utils.checks.declaration import parse, serialise
from ansible_collections.composeops.stack.plugins.module_utils.checks.host import LocalHost
from ansible_collections.composeops.stack.plugins.module_utils.checks.model import CHECKS
from ansible_collections.composeops.stack.plugins.module_utils.checks.probes import Prober
from ansible_collections.composeops.stack.plugins.module_utils.checks.run import run_checks
from ansible_collections.composeops.stack.plugins.module_utils.io import files
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

MODE = 0o600

EXPECT_SPEC: dict[str, Any] = {
    "status": {"type": "list", "elements": "int"},
    "body": {"type": "str"},
    "headers": {"type": "dict"},
    "json": {"type": "dict"},
    "max_seconds": {"type": "float"},
    "state": {"type": "str", "choices": ["open", "closed"]},
}

CHECK_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "required": True, "choices": list(CHECKS)},
    "timeout": {"type": "float"},
    "attempts": {"type": "int"},
    "interval": {"type": "float"},
    "url": {"type": "str"},
    "connect_to": {"type": "str"},
    "method": {"type": "str", "choices": ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]},
    "headers": {"type": "dict"},
    "expect": {"type": "dict", "options": EXPECT_SPEC},
    "message": {"type": "str"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "names": {"type": "list", "elements": "str"},
    "min_days": {"type": "float"},
    "stack": {"type": "str"},
    "service": {"type": "str"},
    "user": {"type": "str"},
    "database": {"type": "str"},
    # The name of a secret is not one; its value never comes near this module's arguments.
    "password_secret": {"type": "str", "no_log": False},
    "query": {"type": "str"},
    "pattern": {"type": "str"},
    "window": {"type": "str"},
    "most": {"type": "int"},
    "source": {"type": "str"},
    "max_age": {"type": "str"},
    "ports": {"type": "list", "elements": "int"},
    "allowed": {"type": "list", "elements": "int"},
    "units": {"type": "list", "elements": "str"},
}

ARGUMENT_SPEC: dict[str, Any] = {
    "checks": {"type": "list", "elements": "dict", "required": True, "options": CHECK_SPEC},
    "ca": {"type": "str", "default": ""},
    "save_as": {"type": "path"},
    "title": {"type": "str", "default": "Checks"},
    "next_steps": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {"purpose": {"type": "str", "required": True}, "command": {"type": "str", "required": True}},
    },
}


def run(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Carry the checks out, or say which would be."""
    checks = parse(params["checks"])
    host = LocalHost(CommandRunner())
    result = {"changed": False, "plan": [], "diff": [], **keep(params, check_mode=check_mode)}
    result.update(checks=[], summary=[], listening=host.listening())
    if check_mode:
        result["plan"] += [f"check {check.name} ({check.type} {check.target})" for check in checks]
        return result
    results = run_checks(checks, Prober(host, params["ca"]).probe)
    result["checks"] = report.records(results)
    result["summary"] = report.tables(params["title"], results, params["next_steps"])
    failure = report.failure(results)
    if failure:
        # What passed is in the table; here it would hide what did not.
        result["checks"] = [record for record in result["checks"] if not record["ok"]]
        result.update(failed=True, msg=failure)
    return result


def keep(params: dict[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Keep the declaration on the host where that is asked for; return what changed."""
    path = params["save_as"]
    if not path:
        return {}
    before, after = files.read_text(path), serialise(params["checks"], params["ca"])
    if before == after and stat.S_IMODE(os.stat(path).st_mode) == MODE:
        return {}
    if not check_mode:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        files.write_atomically(path, after.encode(), mode=MODE, uid=os.geteuid(), gid=os.getegid())
    changes = {"before_header": path, "after_header": path, "before": before or "", "after": after}
    return {"changed": True, "plan": [f"write {path}"], "diff": [changes] if before != after else []}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check_mode=module.check_mode))


if __name__ == "__main__":
    main()
