# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Traefik of this host, asked on its loopback address: which configuration it has taken, and what it objects to."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import http

API = "http://127.0.0.1:20999/api"
"""Set in Traefik's static configuration by the role edge; it only tells, and only this host."""
TIMEOUT = 5.0
OK = 200
NOT_FOUND = 404
PAGE = 100_000
"""More entries than any host has: all come on one page."""


class NotRunning(ComposeOpsError):
    """Nothing listens where Traefik answers questions."""


class Traefik:
    """Traefik as it runs; the address can be given for tests."""

    def __init__(self, api: str = API) -> None:
        self._api = api

    def has_taken(self, marker: str) -> bool:
        """Whether a file with this marker is part of what serves."""
        return self._ask(f"http/middlewares/{quote(marker)}@file") is not None

    def objections(self) -> dict[str, str]:
        """Return each router that does not work, with what Traefik has against it."""
        found: list[dict[str, Any]] = self._ask(f"http/routers?per_page={PAGE}") or []
        return {
            str(router["name"]).partition("@")[0]: "; ".join(router.get("error") or ["it does not say why"])
            for router in found
            if router.get("status") != "enabled"
        }

    def _ask(self, path: str) -> Any:
        """Return what is at a path, or None where there is nothing."""
        try:
            answer = http.request(f"{self._api}/{path}", timeout=TIMEOUT)
        except http.ConnectionFailed as error:
            if isinstance(error.__cause__, ConnectionRefusedError):
                raise NotRunning("Traefik does not run on this host.", "See `systemctl status traefik`.") from error
            raise
        if answer.status == NOT_FOUND:
            return None
        if answer.status != OK:
            raise ComposeOpsError(f"Traefik answered with status {answer.status} when it was asked for {path}.")
        return json.loads(answer.body)
