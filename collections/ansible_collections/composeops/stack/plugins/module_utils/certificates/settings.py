# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the on-host program needs to know of the declared certificates, kept where renewals find it; no secrets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible_collections.composeops.stack.plugins.module_utils.certificates.model import (
    Authority,
    Hsts,
    Provided,
    WantedCertificate,
)
from ansible_collections.composeops.stack.plugins.module_utils.errors import ComposeOpsError
from ansible_collections.composeops.stack.plugins.module_utils.io import files

PATH = "/etc/composeops/certificates.json"


@dataclass(frozen=True)
class Settings:
    """The certificates last declared for this host, and who issues them."""

    sites: tuple[WantedCertificate, ...] = ()
    authority: Authority = field(default_factory=Authority)


def read(path: str = PATH) -> Settings:
    """Return what was last declared for this host; nothing before the first run."""
    text = files.read_text(path)
    return _parse(text, path) if text is not None else Settings()


def serialise(wanted: Sequence[WantedCertificate], authority: Authority) -> str:
    """Return the file's content."""
    sites = [_site(one) for one in wanted]
    return json.dumps({"sites": sites, "authority": asdict(authority)}, indent=2) + "\n"


def _site(one: WantedCertificate) -> dict[str, Any]:
    return {
        "site": one.site,
        "names": list(one.names),
        "hsts": one.hsts.value,
        **({"over_dns": True} if one.over_dns else {}),
        **({"provided": asdict(one.provided)} if one.provided else {}),
    }


def _parse(text: str, path: str) -> Settings:
    try:
        content: Any = json.loads(text)
        return Settings(
            tuple(
                WantedCertificate(
                    entry["site"],
                    tuple(entry["names"]),
                    Hsts(entry["hsts"]),
                    bool(entry.get("over_dns")),
                    Provided(**entry["provided"]) if entry.get("provided") else None,
                )
                for entry in content["sites"]
            ),
            # Versions before 0.1 did not record it.
            Authority(**content.get("authority", {})),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ComposeOpsError(f"{path} cannot be read: {error}.", "Run playbooks/site.yml, which writes it.") from error
