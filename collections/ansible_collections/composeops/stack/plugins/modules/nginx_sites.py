#!/usr/bin/python
# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps every nginx site of a host, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_sites
short_description: Keep the nginx sites of a host
version_added: 0.1.0
description:
  - Renders all sites of a host to one tree of nginx configuration, has nginx test that tree as a whole, makes it live
    by replacing one link, reloads nginx and waits until the new configuration answers. When any of this fails, what
    served before still does.
  - A reload costs no client a request. Before nginx 1.27.4 connections are drained first, which takes up to 30 seconds
    where clients are connected.
  - Every site answers on ports 80 and 443. Until P(composeops.stack.certificates#module) has a certificate for a site,
    a self-signed placeholder stands in, so that nginx starts on a clean host.
  - Sites that are no longer listed are removed. Names that no site has are answered by nobody, neither on port 80
    (the connection is closed) nor on port 443 (the handshake is refused, and no certificate is shown).
  - TLS follows Mozilla's profile O(tls_policy), for the versions of nginx and OpenSSL that are found.
  - A run that was interrupted is completed by the next one. What the running nginx has loaded is asked from nginx
    itself.
extends_documentation_fragment: composeops.stack.sites
options:
  tls_policy:
    description: Mozilla's profile. V(modern) is TLS 1.3 alone.
    type: str
    choices: [intermediate, modern]
    default: intermediate
  http3:
    description:
      - Whether HTTP/3 is served as well, over UDP port 443, and announced to clients of HTTP/1.1 and HTTP/2.
      - A reload breaks its connections, which clients open anew.
      - It needs an nginx that was built with it, like Debian 13's.
    type: bool
    default: false
  brotli:
    description: Whether answers are compressed with brotli too. It needs the package libnginx-mod-http-brotli-filter.
    type: bool
    default: false
  status_port:
    description: Port on 127.0.0.1 with nginx's counters at C(/status), for an exporter; 0 for none.
    type: int
    default: 0
attributes:
  check_mode:
    description:
      - Can run in check mode and return changed status prediction without modifying the target.
      - Where nginx and the files it needs are already there, it also has nginx test the predicted configuration.
    support: full
  diff_mode:
    description: Returns the difference of every file of the configuration.
    support: full
seealso:
  - module: composeops.stack.certificates
  - module: composeops.stack.stack
author:
  - ComposeOps (@composeops)
"""

EXAMPLES = r"""
- name: Serve the shop
  composeops.stack.nginx_sites:
    sites:
      - name: shop.example.com
        aliases: [www.example.com]
        routes:
          - {path: /, stack: shop, service: frontend, port: 80}
          - {path: /api/, stack: shop, service: backend, port: 3000}
          - {path: /ws, stack: shop, service: backend, port: 3000, websocket: true}
        client_max_body_size: 50m
        headers:
          X-Frame-Options: DENY

- name: Serve what runs on other machines
  composeops.stack.nginx_sites:
    sites:
      - name: legacy.example.com
        routes:
          - {path: /, upstream: ["10.0.0.5:8080", "10.0.0.6:8080"], balance: least_conn, read_timeout: 120}
        snippet: |
          location = /robots.txt {
              return 200 "User-agent: *\nDisallow: /\n";
          }

- name: Serve a page with its assets, an interface with limits, and an office that only staff sees
  composeops.stack.nginx_sites:
    http3: true
    sites:
      - name: shop.example.com
        routes:
          - {path: /, static: {directory: /srv/shop, cache: 1y, fallback: /index.html}}
          - {path: /api/, stack: shop, service: backend, port: 3000, limits: {rate: 10r/s, burst: 20}}
          - {path: /office/, stack: shop, service: office, port: 80, basic_auth: {users: "{{ shop_staff }}"}}
          - {path: /blog/, redirect: {to: "https://blog.example.com", keep_path: true}}
"""

RETURN = r"""
generation:
  description: Number of the configuration tree that is live; in check mode the one before.
  returned: success
  type: int
  sample: 12
routes:
  description: Every route and where it leads.
  returned: success
  type: list
  elements: dict
  contains:
    site:
      description: Name of the site.
      type: str
      returned: success
    path:
      description: Path prefix.
      type: str
      returned: success
    target:
      description: The service, or the addresses that were given.
      type: str
      returned: success
    addresses:
      description:
        - Where this host reaches it, in both colours of a stack that is released beside itself; empty in check mode
          before the first deployment.
      type: list
      elements: str
      returned: success
  sample:
    - {"site": "shop.example.com", "path": "/api/", "target": "shop/backend:3000", "addresses": ["127.0.0.1:21000"]}
plan:
  description: What is done, or would be done in check mode, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["change site shop.example.com"]
summary:
  description: The routes as a table, for the callback P(composeops.stack.summary#callback).
  returned: success
  type: list
  elements: dict
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.composeops.stack.plugins.module_utils.certificates.bundle import Bundles
from ansible_collections.composeops.stack.plugins.module_utils.edge import choice, protection, upgrade
from ansible_collections.composeops.stack.plugins.module_utils.edge.capabilities import Capabilities
from ansible_collections.composeops.stack.plugins.module_utils.edge.declared import (
    SITE_OPTIONS,
    known_endpoints,
    missing_directories,
    reported,
    waiting_for_services,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.live import LOCK, LOCK_WAIT, ROOT, LiveTree
from ansible_collections.composeops.stack.plugins.module_utils.edge.locations import Endpoints
from ansible_collections.composeops.stack.plugins.module_utils.edge.model import parse_sites, service_targets
from ansible_collections.composeops.stack.plugins.module_utils.edge.nginx import Nginx
from ansible_collections.composeops.stack.plugins.module_utils.edge.passwords import Passwords
from ansible_collections.composeops.stack.plugins.module_utils.edge.plan import (
    Observed,
    Plan,
    make_plan,
    require_endpoints,
)
from ansible_collections.composeops.stack.plugins.module_utils.edge.render import render
from ansible_collections.composeops.stack.plugins.module_utils.edge.settings import INTERMEDIATE, TLS_POLICIES, Settings
from ansible_collections.composeops.stack.plugins.module_utils.edge.settings import check as check_settings
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io.files import exclusive
from ansible_collections.composeops.stack.plugins.module_utils.io.runner import CommandRunner
from ansible_collections.composeops.stack.plugins.module_utils.shell import exit_with

ARGUMENT_SPEC: dict[str, Any] = {
    "sites": {"type": "list", "elements": "dict", "required": True, "options": SITE_OPTIONS},
    "tls_policy": {"type": "str", "choices": list(TLS_POLICIES), "default": INTERMEDIATE},
    "http3": {"type": "bool", "default": False},
    "brotli": {"type": "bool", "default": False},
    "status_port": {"type": "int", "default": 0},
}


@dataclass(frozen=True)
class Edge:
    """The parts of the host that this module reads and changes."""

    nginx: Nginx
    tree: LiveTree
    bundles: Bundles
    passwords: Passwords


def apply(edge: Edge, plan: Plan, wanted: Mapping[str, str], passwords: Mapping[str, str]) -> list[str]:
    """Carry out ``plan`` and return nginx's warnings."""
    warnings: list[str] = []
    if plan.end_draining:
        upgrade.end_left(CommandRunner())
    for site in plan.placeholders:
        edge.bundles.make_placeholder(site)
    edge.passwords.write(passwords)
    if plan.files:
        warnings = edge.tree.publish(wanted, edge.nginx)
    elif plan.reload:
        edge.nginx.test_live()
        edge.nginx.reload_until(edge.tree.generation() or 0)
    for site in plan.obsolete_bundles:
        edge.bundles.remove(site)
    edge.passwords.prune(passwords)
    return warnings


def predict(edge: Edge, plan: Plan, wanted: Mapping[str, str], endpoints: Endpoints) -> list[str]:
    """Have nginx judge what check mode predicts, where everything the configuration names is already there."""
    complete = not plan.placeholders and all(endpoints.values()) and edge.nginx.includes_live_tree()
    return edge.tree.try_out(choice.without_logs(wanted), edge.nginx) if plan.files and complete else []


def run(params: Mapping[str, Any], *, check: bool) -> dict[str, Any]:
    sites = parse_sites(params["sites"])
    targets = service_targets(sites)
    runner = CommandRunner()
    edge = Edge(Nginx(runner), LiveTree(), Bundles(runner), Passwords(protection.PASSWORDS, "www-data"))
    settings = Settings(params["tls_policy"], params["http3"], params["brotli"], params["status_port"])
    passwords = protection.password_files(sites)
    with contextlib.nullcontext() if check else exclusive(LOCK, "the sites of nginx", wait=LOCK_WAIT):
        endpoints = known_endpoints(targets)
        capabilities = edge.nginx.capabilities()
        if not check:
            require_endpoints(sites, [target for target in targets if endpoints[target]])
            if capabilities is None:
                raise ComposeOpsError("nginx is not installed on this host.", "Run the role edge, which installs it.")
            check_settings(settings, capabilities)
        wanted = render(sites, endpoints, capabilities or Capabilities(), settings)
        observed = Observed(
            files=edge.tree.files(),
            generation=edge.tree.generation(),
            loaded=edge.nginx.loaded_generation(),
            draining=upgrade.was_left(),
            bundles=edge.bundles.sites(),
        )
        plan = make_plan(sites, wanted, observed)
        said = edge.passwords.sentences(passwords)
        warnings = predict(edge, plan, wanted, endpoints) if check else apply(edge, plan, wanted, passwords)
    return {
        "changed": plan.changed or bool(said),
        "plan": [*said, *plan.sentences, *waiting_for_services(targets, endpoints)],
        "diff": plan.diff(f"{ROOT}/live"),
        "generation": edge.tree.generation() or 0,
        **reported(sites, endpoints),
        "warnings": [*warnings, *missing_directories(sites)],
    }


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    exit_with(module, lambda: run(module.params, check=module.check_mode))


if __name__ == "__main__":
    main()
