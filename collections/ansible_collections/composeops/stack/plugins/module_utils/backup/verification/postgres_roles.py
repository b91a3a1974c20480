# Copyright: ComposeOps contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roles that a dump of a PostgreSQL server's globals makes, and whether a password is one's; pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.composeops.stack.plugins.module_utils.backup.damage import Damaged

_CREATE = re.compile(r'CREATE ROLE (?P<role>"(?:[^"]|"")*"|[^\s";]+)')
_ALTER = re.compile(r'ALTER ROLE (?P<role>"(?:[^"]|"")*"|[^\s";]+) WITH (?P<options>.*);\Z')
_PASSWORD = re.compile(r" PASSWORD '(?P<verifier>(?:[^']|'')*)'")
_SCRAM = re.compile(r"SCRAM-SHA-256\$(?P<iterations>\d+):(?P<salt>[^$]+)\$(?P<stored>[^:]+):(?P<server>.+)\Z")


@dataclass(frozen=True)
class Role:
    """A role of the backup. ``verifier`` is what the server keeps of its password."""

    verifier: str | None = None

    def __repr__(self) -> str:
        return "Role()"


def parse(dump: str) -> dict[str, Role]:
    """Return the roles of a globals dump by name."""
    roles: dict[str, Role] = {}
    for line in dump.splitlines():
        created, altered = _CREATE.match(line), _ALTER.match(line)
        if created is not None:
            roles[_plain(created["role"])] = Role()
        elif altered is not None:
            password = _PASSWORD.search(altered["options"])
            verifier = password["verifier"].replace("''", "'") if password else None
            roles[_plain(altered["role"])] = Role(verifier)
    return roles


def check(wanted: Mapping[str, Role], found: Mapping[str, str | None]) -> None:
    """Hold the roles of a server to those of the backup; no verifier is in the error."""
    missing = sorted(set(wanted) - set(found))
    strangers = sorted(set(found) - set(wanted))
    changed = sorted(name for name, role in wanted.items() if name in found and found[name] != role.verifier)
    wrong = [
        f"{what}: {', '.join(names)}"
        for what, names in (("missing", missing), ("not in it", strangers), ("of another password", changed))
        if names
    ]
    if wrong:
        raise Damaged(f"The restored roles are not those of the backup; {'; '.join(wrong)}.")


def fits(verifier: str, password: str) -> bool | None:
    """Return whether ``password`` is the one of ``verifier``; None where that cannot be told here.

    Only plain ASCII is judged: others are normalised before they are hashed (RFC 4013).
    """
    match = _SCRAM.match(verifier)
    if match is None or not password.isascii():
        return None
    try:
        salt, stored = base64.b64decode(match["salt"]), base64.b64decode(match["stored"])
    except binascii.Error:
        return None
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, int(match["iterations"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return hmac.compare_digest(hashlib.sha256(client_key).digest(), stored)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
