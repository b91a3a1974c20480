# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The secrets with which certbot is given certificates, in files that only root reads, never in command lines."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from ansible_collections.composeops.stack.plugins.module_utils.errors import InvalidInput
from ansible_collections.composeops.stack.plugins.module_utils.io import files

DIRECTORY = "/etc/composeops/acme"
ACCOUNT = "account.ini"
_KID = re.compile(r"^[^\s\"'#;=\[\]]+$")
_HMAC_KEY = re.compile(r"^[A-Za-z0-9_-]+=*$")


def dns_file(plugin: str, directory: str = "") -> str:
    """Return the path of the file that certbot's plugin for DNS reads."""
    return os.path.join(directory or DIRECTORY, f"dns-{plugin}")


def account_file(directory: str = "") -> str:
    """Return the path of the file from which certbot learns to which customer a new account belongs."""
    return os.path.join(directory or DIRECTORY, ACCOUNT)


def wanted_files(
    *, dns_plugin: str, dns_credentials: str, eab_kid: str, eab_hmac_key: str, directory: str = ""
) -> dict[str, bytes]:
    """Return each file by its path."""
    wanted = {}
    if dns_plugin:
        wanted[dns_file(dns_plugin, directory)] = f"{dns_credentials.strip()}\n".encode()
    if eab_kid:
        if not _KID.match(eab_kid):
            raise InvalidInput("eab_kid holds characters that no key identifier has.", "Copy it without its quotes.")
        if not _HMAC_KEY.match(eab_hmac_key):
            raise InvalidInput(
                "eab_hmac_key is not in base64url, as authorities show it.", "Copy it without its quotes."
            )
        wanted[account_file(directory)] = f"eab-kid = {eab_kid}\neab-hmac-key = {eab_hmac_key}\n".encode()
    return wanted


def to_write(wanted: Mapping[str, bytes]) -> list[str]:
    """Return the paths whose content is another."""
    return [path for path, content in wanted.items() if files.read_bytes(path) != content]


def to_remove(wanted: Mapping[str, bytes], directory: str = "") -> list[str]:
    """Return the files of ours that nothing needs any more."""
    place = directory or DIRECTORY
    there = os.listdir(place) if os.path.isdir(place) else []
    ours = [os.path.join(place, name) for name in there if name == ACCOUNT or name.startswith("dns-")]
    return sorted(path for path in ours if path not in wanted)


def write(wanted: Mapping[str, bytes]) -> None:
    """Write what differs."""
    for path in to_write(wanted):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        files.write_atomically(path, wanted[path], mode=0o600, uid=os.geteuid(), gid=os.getegid())


def remove(paths: list[str]) -> None:
    """Remove what nothing needs any more."""
    for path in paths:
        os.unlink(path)
