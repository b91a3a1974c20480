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
        description:
          - Further host names, answered alike and covered by the same certificate.
          - Behind nginx, one may stand for all names one label below another, like V(*.shop.example.com).
          - Its certificate needs challenges over DNS.
        type: list
        elements: str
        default: []
      routes:
        description:
          - What answers which path. The longest matching path wins.
          - Each route names O(sites[].routes[].stack), O(sites[].routes[].service) and O(sites[].routes[].port),
            or one of O(sites[].routes[].upstream), O(sites[].routes[].static) and O(sites[].routes[].redirect).
          - A route has its own O(sites[].routes[].limits), lists of addresses and O(sites[].routes[].basic_auth) in
            place of the site's.
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
          static:
            description: Instead of a service, files of the host. Traefik refuses this option.
            type: dict
            suboptions:
              directory:
                description:
                  - Where the whole path of a request is looked up.
                  - V(/assets/a.css) is C(assets/a.css) below it.
                  - Names that begin with a dot are not served, but for C(.well-known).
                type: str
                required: true
              cache:
                description:
                  - How long browsers keep a file, like V(1y) or V(5m).
                  - Pages (C(text/html)) are asked for every time, and so is everything where this is empty.
                type: str
                default: ""
              fallback:
                description:
                  - File that answers for paths that are not there, like V(/index.html), for applications that route in
                    the browser.
                type: str
                default: ""
          redirect:
            description: Instead of a service, another place. Everybody is told, whoever may see the site.
            type: dict
            suboptions:
              to:
                description: URL, or a path of the same site.
                type: str
                required: true
              code:
                description: Status. Traefik answers a GET by 301 or 302, everything else by 308 or 307.
                type: int
                choices: [301, 302, 307, 308]
                default: 301
              keep_path:
                description: Whether path and query of the request are put behind O(sites[].routes[].redirect.to).
                type: bool
                default: false
          websocket:
            description: Whether connections may be upgraded to WebSockets.
            type: bool
            default: false
          balance:
            description:
              - How requests are spread over the servers, which are the replicas of the service or the addresses given.
              - V(round_robin) takes them in turn, V(least_conn) the one with the fewest requests under way, V(hash)
                always the same one for requests that have O(sites[].routes[].hash_by) in common.
              - Routes to the same port of a service share one upstream and have to agree.
            type: str
            choices: [round_robin, least_conn, hash]
            default: round_robin
          hash_by:
            description:
              - What decides with V(hash).
              - V(uri) is path and query, V(address) the client's, V(cookie) the value of
                O(sites[].routes[].hash_cookie); requests without it take turns.
              - By default V(uri).
              - Traefik knows V(address) only.
            type: str
            choices: [uri, address, cookie]
          hash_cookie:
            description: Name of the cookie for O(sites[].routes[].hash_by=cookie).
            type: str
          max_fails:
            description:
              - Failures within O(sites[].routes[].fail_timeout) after which a server is left out for as long, while
                there are others; 0 for never. nginx does so after 1, Traefik never, unless told.
            type: int
          fail_timeout:
            description: Seconds, by default 10.
            type: int
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
          limits:
            description:
              - What one address may do.
              - What is beyond is answered with status 429.
              - Traefik counts connections as requests under way.
            type: dict
            suboptions:
              rate:
                description: Requests in a second or a minute, like V(10r/s) or V(300r/m). Empty for no limit.
                type: str
                default: ""
              burst:
                description: How many more may come at once.
                type: int
                default: 0
              connections:
                description:
                  - How many connections may have a request under way.
                  - Of HTTP/2 and HTTP/3, every request counts.
                type: int
          allow:
            description: Addresses and networks that may ask, and nobody else. Empty for everybody.
            type: list
            elements: str
            default: []
          deny:
            description:
              - Addresses and networks that may not ask, even where O(sites[].routes[].allow) has them.
              - Traefik refuses this option.
            type: list
            elements: str
            default: []
          basic_auth:
            description: Asks for a name and a password, which the service is not told.
            type: dict
            suboptions:
              realm:
                description: What browsers show beside the question.
                type: str
                default: Restricted
              users:
                description:
                  - Names and the hashes of their passwords, bcrypt (C(htpasswd -nB)) or sha512-crypt (C(openssl passwd
                    -6)).
                  - Every request is checked, so a bcrypt cost above 8 slows the edge down.
                  - Traefik knows bcrypt only.
                type: dict
                required: true
      redirect_to_https:
        description: Whether port 80 redirects to HTTPS. Otherwise it answers like port 443.
        type: bool
        default: true
      certificate:
        description:
          - The operator's own certificate, in place of one that an authority is asked for.
          - Behind nginx P(composeops.stack.certificates#module) acts on it. Traefik refuses it.
        type: dict
        suboptions:
          source:
            description:
              - V(provided) takes O(sites[].certificate.certificate) and O(sites[].certificate.key). Nobody renews them.
              - V(private_ca) has one signed by the authority that P(composeops.stack.certificates#module) is given, and
                again by a run in the last third of its 397 days.
            type: str
            choices: [provided, private_ca]
            default: provided
          certificate:
            description: The certificate with its chain, as PEM text, or as the absolute path of a file on the host.
            type: str
            default: ""
          key:
            description: Its private key, as PEM text, or as the absolute path of a file on the host.
            type: str
            default: ""
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
        description:
          - Header names and values to add to every response of the site.
          - Behind nginx, X-Content-Type-Options is C(nosniff), X-Frame-Options C(SAMEORIGIN) and Referrer-Policy
            C(strict-origin-when-cross-origin) where neither this nor the service says something else; an empty value
            here leaves it to the service. Behind Traefik only the first one is sent.
        type: dict
        default: {}
      snippet:
        description:
          - nginx directives for the HTTPS server of the site, verbatim. They are tested with everything else before
            they go live. Traefik refuses them.
        type: str
        default: ""
      compress:
        description: Whether text is compressed for clients that take it.
        type: bool
        default: true
      limits:
        description:
          - What one address may do.
          - What is beyond is answered with status 429.
          - Traefik counts connections as requests under way.
        type: dict
        suboptions:
          rate:
            description: Requests in a second or a minute, like V(10r/s) or V(300r/m). Empty for no limit.
            type: str
            default: ""
          burst:
            description: How many more may come at once.
            type: int
            default: 0
          connections:
            description:
              - How many connections may have a request under way.
              - Of HTTP/2 and HTTP/3, every request counts.
            type: int
      allow:
        description: Addresses and networks that may ask, and nobody else. Empty for everybody.
        type: list
        elements: str
        default: []
      deny:
        description:
          - Addresses and networks that may not ask, even where O(sites[].allow) has them.
          - Traefik refuses this option.
        type: list
        elements: str
        default: []
      basic_auth:
        description: Asks for a name and a password, which the service is not told.
        type: dict
        suboptions:
          realm:
            description: What browsers show beside the question.
            type: str
            default: Restricted
          users:
            description:
              - Names and the hashes of their passwords, bcrypt (C(htpasswd -nB)) or sha512-crypt
                (C(openssl passwd -6)).
              - Every request is checked, so a bcrypt cost above 8 slows the edge down.
              - Traefik knows bcrypt only.
            type: dict
            required: true
      maintenance:
        description:
          - Whether the site answers with status 503 and a page.
          - Challenges of the certificate authority are answered all the same.
          - Traefik refuses this option.
        type: bool
        default: false
      maintenance_allow:
        description: Addresses and networks that see the site meanwhile.
        type: list
        elements: str
        default: []
      maintenance_page:
        description: HTML of the page; empty for a plain one.
        type: str
        default: ""
      maintenance_retry_after:
        description: Seconds that clients are told to wait.
        type: int
        default: 600
"""
