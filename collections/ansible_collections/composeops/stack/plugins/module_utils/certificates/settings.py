# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the on-host program needs to know of the declared certificates, kept where renewals find it; no secrets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import Hsts, WantedCertificate
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

PATH = "/etc/composeops/certificates.json"


def read(path: str = PATH) -> tuple[WantedCertificate, ...]:
    """Return the certificates last declared for this host; none before the first run."""
    text = files.read_text(path)
    return _parse(text, path) if text is not None else ()


def serialise(wanted: Sequence[WantedCertificate]) -> str:
    """Return the file's content."""
    sites = [{"site": one.site, "names": list(one.names), "hsts": one.hsts.value} for one in wanted]
    return json.dumps({"sites": sites}, indent=2) + "\n"


def _parse(text: str, path: str) -> tuple[WantedCertificate, ...]:
    try:
        content: Any = json.loads(text)
        return tuple(
            WantedCertificate(entry["site"], tuple(entry["names"]), Hsts(entry["hsts"])) for entry in content["sites"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ComposeOpsError(f"{path} cannot be read: {error}.", "Run playbooks/site.yml, which writes it.") from error
