#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps every site of a host whose edge is Traefik, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: traefik_sites
short_description: Keep the sites of a host behind Traefik
version_added: 0.1.0
description:
  - Does for Traefik what M(composeops.stack.nginx_sites) and M(composeops.stack.certificates) do for nginx, from the
    same list of sites. It writes the directory that Traefik watches, waits until Traefik says that it serves by it, and
    puts back what was there when it does not, or when a router does not work. Nothing is reloaded or restarted.
  - Each stack has a file of its own there, in which a release chooses which colour answers. That choice is kept.
  - Traefik obtains and renews the certificates itself, one for each site. The module waits for those that are missing
    and has Traefik ask for them again from time to time.
  - Names that no site has get no certificate, and on port 80 status 404.
  - Where the path of one route is the beginning of another's, the longest wins, as with nginx.
  - What Traefik has nothing for is refused. These are O(sites[].snippet), a O(sites[].client_max_body_size) other
    than the default, O(sites[].maintenance), O(sites[].routes[].static), O(sites[].deny),
    O(sites[].routes[].hash_by) by anything but the address, and passwords that are not hashed by bcrypt.
  - Bodies of requests are not limited. O(sites[].routes[].websocket) decides about time-outs alone, because Traefik
    lets every connection be upgraded, and O(sites[].routes[].send_timeout) has no meaning.
  - O(sites[].routes[].balance=least_conn) takes the less busy of two servers that are drawn.
extends_documentation_fragment: composeops.stack.sites
options:
  tls_policy:
    description: Mozilla's profile. V(modern) is TLS 1.3 alone.
    type: str
    choices: [intermediate, modern]
    default: intermediate
  hsts:
    description:
      - When browsers are told to insist on HTTPS. With V(auto), while the host's own list of authorities leads to the
        certificate that answers.
    type: str
    choices: [auto, always, never]
    default: auto
  storage:
    description: The file in which Traefik keeps its certificates.
    type: path
    required: true
  certificate_timeout:
    description: Seconds that all missing certificates together may take.
    type: float
    default: 120
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying the target.
    support: full
    details: What Traefik would object to, and whether the authority would issue, is not known before.
  diff_mode:
    description: Returns the difference of every file that Traefik reads.
    support: full
seealso:
  - module: composeops.stack.nginx_sites
  - module: composeops.stack.traefik_program
  - module: composeops.stack.stack
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Serve the shop
  composeops.stack.traefik_sites:
    storage: /var/lib/traefik/acme.json
    sites:
      - name: shop.example.com
        routes:
          - {path: /, stack: shop, service: app, port: 3000}
          - {path: /_event, stack: shop, service: app, port: 8000, websocket: true}
"""

RETURN = r"""
routes:
  description: Every route and where it leads.
  returned: success
  type: list
  elements: dict
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["change the sites"]
summary:
  description: The routes as a table, for the callback P(composeops.stack.summary#callback).
  returned: success
  type: list
  elements: dict
"""

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Hsts, parse_wanted
from ansible_collections.composeops.stack.plugins.module_utils.edge.declared import (
    SITE_OPTIONS,
    known_endpoints,
    reported,
    waiting_for_services,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.locations import Endpoints
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import Site, parse_sites, service_targets
from ansible_collections.composeops.stack.plugins.module_utils.edge.passwords import Passwords
from ansible_collections.composeops.stack.plugins.module_utils.edge.plan import require_endpoints
from ansible_collections.composeops.stack.plugins.module_utils.edge.protection import password_files
from ansible_collections.composeops.stack.plugins.module_utils.edge.settings import INTERMEDIATE, TLS_POLICIES
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik import certificates, guards
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.certificates import Served
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.live import LiveDirectory
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.plan import Plan, make_plan
from ansible_collections.composeops.stack.plugins.module_utils.edge.traefik.render import RESOLVER, Host, render
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError, InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.io.traefik import Traefik
from ansible_collections.composeops.stack.plugins.module_utils.release import state, traefik_file
from ansible_collections.composeops.stack.plugins.module_utils.release.traefik_file import Choice
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {
    "sites": {"type": "list", "elements": "dict", "required": True, "options": SITE_OPTIONS},
    "hsts": {"type": "str", "choices": [choice.value for choice in Hsts], "default": "auto"},
    "tls_policy": {"type": "str", "choices": list(TLS_POLICIES), "default": INTERMEDIATE},
    "storage": {"type": "path", "required": True},
    "certificate_timeout": {"type": "float", "default": 120},
}
POLL = 0.5
ASK_AGAIN = 10.0
"""Seconds after which Traefik, which does not try again by itself, is made to."""


@dataclass(frozen=True)
class Edge:
    """The parts of the host that this module reads and changes."""

    live: LiveDirectory
    storage: str
    passwords: Passwords
    tls_policy: str

    def certificates(self) -> dict[frozenset[str], bytes]:
        return certificates.read(self.storage, RESOLVER)

    def served(self, sites: Iterable[Site]) -> dict[str, Served]:
        return {site.name: certificates.look(site.name) for site in sites}


def choices(files_there: Mapping[str, str]) -> dict[str, Choice]:
    """Return the release that each stack has chosen; of one that was deployed before Traefik, its record knows."""
    found = {}
    for stack in state.deployed():
        text = files_there.get(traefik_file.name(stack))
        record = state.read_state(stack)
        if text is not None:
            found[stack] = traefik_file.parse(text)[0]
        elif record and record.colour:
            found[stack] = Choice(record.colour)
    return found


def wants_hsts(sites: Iterable[Site], wanted: Mapping[str, Hsts], served: Mapping[str, Served]) -> frozenset[str]:
    """Return the sites whose visitors are told to insist on HTTPS."""
    return frozenset(
        site.name
        for site in sites
        if wanted[site.name] is Hsts.ALWAYS or (wanted[site.name] is Hsts.AUTO and served[site.name].trusted)
    )


def wait_for_certificates(edge: Edge, sites: Iterable[Site], timeout: float) -> dict[str, str]:
    """Wait until every site answers with its own certificate; return those that do not in time, and why."""
    began = asked = time.monotonic()
    while True:
        missing = certificates.waiting(sites, edge.certificates(), edge.served(sites))
        now = time.monotonic()
        if not missing or now - began > timeout:
            return missing
        if now - asked > ASK_AGAIN:
            edge.live.nudge()
            asked = time.monotonic()
        time.sleep(POLL)


def journal(since: int) -> str:
    """Return what Traefik has logged since a time in seconds of the epoch."""
    argv = ["journalctl", "--no-pager", "--quiet", "--output=cat", "--unit=traefik.service", f"--since=@{since}"]
    return CommandRunner().run(argv, check=False).stdout


def require_certificates(edge: Edge, sites: Iterable[Site], timeout: float) -> None:
    """Wait for certificates; raise with what Traefik logged about those that do not come."""
    since = int(time.time())
    missing = wait_for_certificates(edge, sites, timeout)
    if not missing:
        return
    said = certificates.complaints(journal(since), missing)
    raise ComposeOpsError(
        f"After {timeout:g} s, {'; '.join(f'{site}: {why}' for site, why in missing.items())}."
        f" Traefik logged: {said[-1] if said else 'nothing about it'}",
        "Look whether the authority reaches port 80 of this host under that name, then run again.",
    )


def require_issued(declared: Iterable[Mapping[str, Any]]) -> None:
    """Raise for a certificate that Traefik would not be given, before another is issued in its place."""
    for entry in declared:
        if entry.get("certificate"):
            raise InvalidInput(
                f"edge_sites: site {entry['name']} has a certificate of its own, and Traefik is only given those "
                "that it obtains itself.",
                "Remove it, or set edge_proxy: nginx.",
            )


def run(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    require_issued(params["sites"])
    sites = parse_sites(params["sites"])
    hsts = {one.site: one.hsts for one in parse_wanted(params["sites"], params["hsts"])}
    targets = service_targets(sites)
    kept = Passwords(guards.PASSWORDS, "traefik")
    edge = Edge(LiveDirectory(Traefik()), params["storage"], kept, params["tls_policy"])
    passwords = password_files(sites, guards.PASSWORDS)
    with (
        contextlib.nullcontext()
        if check
        else exclusive(traefik_file.LOCK, "the sites of Traefik", wait=traefik_file.LOCK_WAIT)
    ):
        endpoints = known_endpoints(targets)
        if not check:
            require_endpoints(sites, [target for target in targets if endpoints[target]])
            if not os.path.isdir(traefik_file.DIRECTORY):
                raise ComposeOpsError("Traefik is not installed on this host.", "Run the role edge, which installs it.")
        served = edge.served(sites)
        missing = certificates.waiting(sites, edge.certificates(), served)
        said = edge.passwords.sentences(passwords)
        if not check:
            edge.passwords.write(passwords)
        plan = publish(edge, sites, endpoints, wants_hsts(sites, hsts, served), check=check)
        if not check:
            edge.passwords.prune(passwords)
        sentences = [
            *said,
            *plan.sentences,
            *(f"obtain a certificate for {site}: {why}" for site, why in missing.items()),
        ]
        if missing and not check:
            require_certificates(edge, sites, params["certificate_timeout"])
            trusted = publish(edge, sites, endpoints, wants_hsts(sites, hsts, edge.served(sites)), check=check)
            sentences += [sentence for sentence in trusted.sentences if sentence not in sentences]
    return {
        "changed": bool(said or plan.files or missing),
        "plan": [*sentences, *waiting_for_services(targets, endpoints)],
        "diff": plan.diff(traefik_file.DIRECTORY),
        **reported(sites, endpoints),
    }


def publish(edge: Edge, sites: tuple[Site, ...], endpoints: Endpoints, hsts: frozenset[str], *, check: bool) -> Plan:
    """Have Traefik serve the sites, or say what that changes."""
    there = edge.live.files()
    wanted = render(sites, Host(endpoints, choices(there), hsts, edge.tls_policy))
    plan = make_plan(wanted, there)
    if check:
        return plan
    if plan.files:
        edge.live.publish(wanted)
    else:
        edge.live.confirm()
    return plan


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
