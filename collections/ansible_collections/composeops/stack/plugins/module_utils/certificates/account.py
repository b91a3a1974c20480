# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The account that certbot has at an authority, when the authority no longer knows it."""

from __future__ import annotations

import os
import re
import shutil
from urllib.parse import urlsplit

DIRECTORY = "/etc/letsencrypt/accounts"
FORGOTTEN = "forgotten"
"""Beside those that certbot finds: an account's key may still be wanted to revoke what it was given."""

_UNKNOWN = re.compile(
    r"accountDoesNotExist|account that does not exist|Account \S+ not found|Account is not valid, has status"
    # certbot's own word, for the account of a certificate that was put aside because of another certificate.
    r"|Account at \S+ does not exist",
    re.IGNORECASE,
)


def unknown(output: str) -> bool:
    """Whether certbot failed because the authority does not know its account, or knows it as ended."""
    return bool(_UNKNOWN.search(output))


def place(server: str, directory: str = DIRECTORY) -> str:
    """Return where certbot keeps the accounts that it has at an authority."""
    parts = urlsplit(server)
    return os.path.join(directory, parts.netloc, parts.path.strip("/"))


def forget(server: str, directory: str = DIRECTORY) -> bool:
    """Put aside the accounts that certbot has at an authority, so that it registers anew; return whether it had any."""
    there = place(server, directory)
    if not os.path.isdir(there):
        return False
    aside = os.path.join(os.path.dirname(directory), f"accounts-{FORGOTTEN}", os.path.relpath(there, directory))
    os.makedirs(aside, mode=0o700, exist_ok=True)
    names = os.listdir(there)
    for name in names:
        target = os.path.join(aside, name)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(os.path.join(there, name), target)
    return bool(names)
