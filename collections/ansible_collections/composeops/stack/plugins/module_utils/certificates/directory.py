# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an authority says of itself in its ACME directory (RFC 8555, section 7.1.1)."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files, http

TIMEOUT = 15.0
OK = 200


def get(url: str, ca_file: str = "") -> http.Response:
    """Ask an authority, trusting ``ca_file`` beside the host's own list."""
    ca = (files.read_text(ca_file) or "") if ca_file else ""
    return http.request(url, ca=ca, timeout=TIMEOUT)


def content(response: http.Response, url: str) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    try:
        found = json.loads(response.body)
    except ValueError:
        found = None
    if response.status != OK or not isinstance(found, dict):
        raise ComposeOpsError(f"{url} answered {response.status} without an object.")
    return found


def profiles(server: str, ca_file: str = "") -> list[str]:
    """Return the names of the kinds of certificate that an authority offers; none where it knows no kinds."""
    meta = content(get(server, ca_file), server).get("meta")
    offered = meta.get("profiles") if isinstance(meta, dict) else None
    return sorted(offered) if isinstance(offered, dict) else []
