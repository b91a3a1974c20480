# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks the services of a release through the ports that the edge will use, before and after it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import http
from ansible_collections.composeops.stack.plugins.module_utils.release.clock import Clock
from ansible_collections.composeops.stack.plugins.module_utils.release.model import Routed
from ansible_collections.composeops.stack.plugins.module_utils.release.state import Endpoint

ANSWERS_BELOW = 500
SPACING = 1.0
"""Seconds between the two answers that count: an application may answer once while it is still starting."""
TIMEOUT = 5.0


def judge(route: Routed, status: int, headers: Mapping[str, str]) -> str:
    """Return what is wrong with an answer, or nothing; header names are in lower case. Pure."""
    if route.status and status != route.status:
        return f"it answers {route.path} with status {status}, not {route.status}"
    if not route.status and status >= ANSWERS_BELOW:
        return f"it answers {route.path} with status {status}"
    if route.version_header:
        found = headers.get(route.version_header.lower())
        if found is None:
            return f"its answer to {route.path} has no header {route.version_header}"
        if route.version and found != route.version:
            return f"it says that it is version {found}, not {route.version}"
    return ""


def ask(route: Routed, endpoint: Endpoint) -> str:
    """Return what is wrong with a service at one of its endpoints, or nothing."""
    try:
        answer = http.request(f"http://{endpoint.address}:{endpoint.host_port}{route.path}", timeout=TIMEOUT)
    except ComposeOpsError as error:
        return error.message.rstrip(".")
    return judge(route, answer.status, answer.headers)


def failures(routed: Sequence[Routed], endpoints: Sequence[Endpoint]) -> dict[str, str]:
    """Return each service that does not answer as it should, with what is wrong."""
    found: dict[str, str] = {}
    for endpoint in endpoints:
        for route in routed:
            if (route.service, route.port) == (endpoint.service, endpoint.port):
                problem = ask(route, endpoint)
                if problem:
                    found.setdefault(route.service, problem)
    return found


def gate(routed: Sequence[Routed], endpoints: Sequence[Endpoint], clock: Clock, limit: float) -> dict[str, str]:
    """Wait until every endpoint answered well twice in a row, and return what did not within ``limit`` seconds."""
    began = clock.elapsed()
    well = 0
    while True:
        found = failures(routed, endpoints)
        well = 0 if found else well + 1
        if well == 2:  # noqa: PLR2004 (twice in a row)
            return {}
        if found and clock.elapsed() - began >= limit:
            return found
        clock.sleep(SPACING)
