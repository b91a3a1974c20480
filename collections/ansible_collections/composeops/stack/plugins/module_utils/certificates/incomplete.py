# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What certbot began and did not finish, because it was killed or its disk was full.

certbot makes nothing of it: it refuses a name whose directory is there without its settings, and takes another one
(`app.example.com-0001`), which no site knows, where the settings are damaged. So it is put aside beforehand.
"""

from __future__ import annotations

import os
import shutil

from ansible_collections.composeops.stack.plugins.module_utils.certificates import lineage, parse
from ansible_collections.composeops.stack.plugins.module_utils.io import files

ASIDE = "incomplete"
_NEEDED = ("archive_dir", "cert", "privkey", "chain", "fullchain")


def left(site: str, directory: str = lineage.CERTBOT_DIRECTORY) -> list[str]:
    """Return what is there of a certificate that is not whole; nothing where it is whole, or where nothing is."""
    settings = os.path.join(directory, "renewal", f"{site}.conf")
    live = os.path.join(directory, "live", site)
    there = [path for path in (settings, live, os.path.join(directory, "archive", site)) if os.path.lexists(path)]
    recorded = parse.renewal(files.read_text(settings) or "")
    whole = all(key in recorded for key in _NEEDED) and all(
        os.path.exists(os.path.join(live, f"{name}.pem")) for name in _NEEDED[1:]
    )
    return [] if whole else there


def put_aside(site: str, directory: str = lineage.CERTBOT_DIRECTORY) -> list[str]:
    """Move what is left out of certbot's sight, keys included; return what is worth telling of it."""
    found = left(site, directory)
    if not found:
        return []
    aside = os.path.join(directory, ASIDE, site)
    # What was put aside before is older still.
    shutil.rmtree(aside, ignore_errors=True)
    os.makedirs(aside, mode=0o700)
    for path in found:
        kind = os.path.basename(os.path.dirname(path))
        os.rename(path, os.path.join(aside, kind))
    return [f"{site}: what certbot had begun and not finished is in {aside} now; it was issued anew."]
