# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The list of sites, which every edge takes in the same words."""

from __future__ import annotations


class ModuleDocFragment:
    """What ``extends_documentation_fragment: composeops.stack.sites`` adds."""

    DOCUMENTATION = r"""
options:
  sites:
    description: All sites of the host.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Full host name of the site, which is also the name of its certificate.
        type: str
        required: true
      aliases:
        description: Further host names, answered alike and covered by the same certificate.
        type: list
        elements: str
        default: []
      routes:
        description:
          - What answers which path. The longest matching path wins.
          - Each route names O(sites[].routes[].stack), O(sites[].routes[].service) and O(sites[].routes[].port),
            or O(sites[].routes[].upstream).
        type: list
        elements: dict
        required: true
        suboptions:
          path:
            description: Path prefix, like V(/) or V(/api/). Requests are handed on with their path unchanged.
            type: str
            required: true
          stack:
            description: Stack of the service.
            type: str
          service:
            description: A routed service of the stack. All its replicas are used, as O(sites[].routes[].balance) says.
            type: str
          port:
            description: Port on which the service listens in its container.
            type: int
          upstream:
            description:
              - Servers outside any stack of this host, each an IP address and a port, like V(10.0.0.5:8080).
              - Host names are refused, because nginx does not start while one of them does not resolve.
            type: list
            elements: str
          websocket:
            description: Whether connections may be upgraded to WebSockets.
            type: bool
            default: false
          balance:
            description:
              - How requests are spread over the servers, which are the replicas of the service or the addresses given.
              - V(round_robin) takes them in turn, V(least_conn) the one with the fewest requests under way.
              - Routes to the same port of a service share one upstream and have to agree.
            type: str
            choices: [round_robin, least_conn]
            default: round_robin
          connect_timeout:
            description: Seconds to wait for a connection to the service.
            type: int
            default: 5
          send_timeout:
            description:
              - Seconds the service may take between two reads of a request.
              - The default is 60, and 3600 where O(sites[].routes[].websocket) is set.
            type: int
          read_timeout:
            description:
              - Seconds the service may be silent.
              - The default is 60, and 3600 where O(sites[].routes[].websocket) is set.
            type: int
          headers:
            description:
              - Headers of every answer of this route, in place of what the service and the site say in them.
            type: dict
            default: {}
      redirect_to_https:
        description: Whether port 80 redirects to HTTPS. Otherwise it answers like port 443.
        type: bool
        default: true
      hsts:
        description:
          - When browsers are told to insist on HTTPS. Behind nginx P(composeops.stack.certificates#module) acts on it.
        type: str
        choices: [auto, always, never]
      client_max_body_size:
        description:
          - Largest request body, in nginx's notation. Traefik only knows the default, which does not limit anything.
        type: str
        default: 10m
      headers:
        description: Header names and values to add to every response of the site.
        type: dict
        default: {}
      snippet:
        description:
          - nginx directives for the HTTPS server of the site, verbatim. They are tested with everything else before
            they go live. Traefik refuses them.
        type: str
        default: ""
"""
